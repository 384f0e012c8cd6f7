/**
 * Known answers of the start-up self-test with their sources. The private keys are published test keys, or were made for
 * this file and protect nothing.
 */
const hex = (digits: string): Buffer => Buffer.from(digits, 'hex');
const base64 = (...lines: readonly string[]): Buffer => Buffer.from(lines.join(''), 'base64');

/** The message of every signature below. */
export const SIGNED_MESSAGE = Buffer.from('message digest', 'ascii');

/** GB/T 32905-2016 appendix A, example 1. */
export const SM3_ANSWER = {
  message: Buffer.from('abc', 'ascii'),
  digest: hex('66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0'),
} as const;

/** C2SP wycheproof hmac_sm3_test.json, test 2. */
export const HMAC_SM3_ANSWER = {
  key: hex('8159fd15133cd964c9a6964c94f0ea269a806fd9f43f0da58b6cd1b33d189b2a'),
  message: hex('77'),
  tag: hex('51aaf64843b6d2fc7a244ab9cda9b7b57164ce6a865f9808c01931b46195411d'),
} as const;

/** GmSSL tests/sm3_hkdftest.h, test 1. */
export const HKDF_SM3_ANSWER = {
  ikm: hex('0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b'),
  salt: hex('000102030405060708090a0b0c'),
  info: hex('f0f1f2f3f4f5f6f7f8f9'),
  okm: hex('c69fe91b7aaee2dd5718d72dcaee0cce93f1b8e41f792da51261b6a517e68b36ed2c595572b01dfa359b'),
} as const;

/** GB/T 32907-2016 appendix A.1 (ECB), and the CTR case of OpenSSL's evpciph_sm4.txt cut to two blocks. */
export const SM4_ANSWER = {
  key: hex('0123456789abcdeffedcba9876543210'),
  plaintext: hex('0123456789abcdeffedcba9876543210'),
  ciphertext: hex('681edf34d206965e86b3e94f536e4246'),
  ctr: {
    start: hex('0123456789abcdeffedcba9876543210'),
    plaintext: hex('aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd'),
    ciphertext: hex('c2b4759e78ac3cf43d0852f4e8d5f9fd7256e8a5fcb65a350ee00630912e4449'),
  },
} as const;

/** GB/T 32918.5-2017 appendices A (signature over the common message) and C (encryption, C1 C3 C2). */
export const SM2_ANSWER = {
  scalar: hex('3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8'),
  point: hex(
    '0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020' +
      'ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13',
  ),
  signature: hex(
    '3046022100f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3' +
      '022100b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa',
  ),
  nonce: hex('59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21'),
  plaintext: Buffer.from('encryption standard', 'ascii'),
  ciphertext: hex(
    '04' +
      '04ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73' +
      'e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0' +
      '59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766' +
      '21886ca989ca9c7d58087307ca93092d651efa',
  ),
} as const;

/** RFC 6979 appendix A.2.5: key, and the signature with SHA-256 over "sample". */
export const P256_ANSWER = {
  scalar: hex('c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721'),
  point: hex(
    '0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6' +
      '7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299',
  ),
  message: Buffer.from('sample', 'ascii'),
  signature: hex(
    '3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716' +
      '022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8',
  ),
} as const;

/** Made with OpenSSL 3.0 for this file: a 2048-bit key, its PKCS#1 v1.5 and PSS signatures with SHA-256. */
export const RSA_ANSWER = {
  pkcs8: base64(
    'MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCBB1xwfNTR3bQmsnIlR++GtU4vhnvCBVfDxKGE3kNm7sCjU+XIO60o4fbyqT+D',
    'F4HDkpdkLwCC6G4LwaC7e1LB2PMLBoRC5AiaZtEQYzLKtHXLF+0fYYue55GRWIq5lBC/FY3P2I5NGwouMP9LDBlu9Lp+k4faPDf+H2IwWPbOsv1q',
    'wXKnuEisJ3Mhgd54D1sAQX3fsJZk5A2gBrGOw03eDleZRBWNWeBMPVWm/bQmDFNVMH5yqZLiPgIwPMCQRnGkMgYCRElXDG5KdvXk4egKuK3xyZ91',
    'KqrPatjMrjWmrSHRCc1csh76HBxdpmft3S4FnaQSPbe06AS4DN61NAEVAgMBAAECggEAFyx1x0Q8SucJNIwHITf+xpBolvON5aZlAWWe5siujV2j',
    'HpJyahiBvJ585k9Md2Rw62m4JAenDVvma9keX53CGsu2twu4FHV1MBn4QXu3gx2PLGdDMMgpteP8SoD/BV6Y9WDPI/3ObP3Gwc4OA/IL3Vg56ILh',
    'uunm2o7TaUCJL01IGrEsqWkSUcNdnmOMUxrV/PzYAh0v87MX2/bTqNUCHG8jmqxDkse9VejQE6QvWlnTNyxUjF1GPiJApr2flt4oaZYpSkssXNFM',
    '9SC9G84mHwM0iMq0ozQ3a9CyrU9pCeNB4Jf+2vaixVD9bYklJVshnDDwuOt7W5jbTQCTa5Gm3wKBgQC14JGeWNIgo05wlxSfs8jiiRXDA02I+tkd',
    'oT+jCUqnAqqc/VF9vTVE+TCw2hFTTouXVhgc+7l54YEN44yqeTwY2/Neup3y13dEq0IvoVyDlV366MXABKr9KHwe3/IdebtyU1z+h2LzqAasqhvS',
    '9DYbVtukdFRTc9XP9/CmZ1puswKBgQC1nQ8ksRTFX1zCQVLhYf9kUZHofedc3ek8VX+x0owQc3dNboyB44lbmINtg8kiOY5ABosaeH8vFJWdUDzl',
    'Fsu5eWbnNoBRFT8xSkKRujZTEPwv0mL2VSFkdwyDGDh1zL2UTrthjgl6unPxSz20gvuD7JcGFx20GBc+RNDyhLM1FwKBgGHZpx51FN/gXGQwtDTT',
    'qgFO1Xlsvnsy0jqhtTYG2rYNtjLuCrjGYfFwy6RqPiX+vRU3iZOWToxnKWKKiPRyc0XAmCff6PhsucslBF/RxY85fi1urG2JVWEMNfL6cy0ugA2b',
    'Eg4SUsdaH/UnM/8DylRdH6BTwcaALIlOEJfGRR4HAoGAXYKQ2YOT/kwrppmb4xBiP3UAe4TYK6jW/onHRffyxkWtl+Dj170gbFkK0siYN1cLN0wn',
    'M2n3knY20tkNgadLHiS0JziYuScHcomZ3Q7UCdElCDp7WfpbRy9E8fr2lzDkLAid0o0ftGFscUEcdGU8u6CF4kzkrmX5Eca9DyHkY+ECgYBQ+VPm',
    'llXYkBCmeJFug/fuby0XQOj3kJ9L1o4cnIYROb4qOjXm37vd0q9hM3FgUxcqVbjHB3gdH431nGlsvISrkmJbNhLvwrB73Asxm5WliaIjQ/JdgXWG',
    'F602u0+ngRcavzMuVd9bq+voNShqKFohQzmloN+aaHO1JkqAc7iX+g==',
  ),
  pkcs1Signature: base64(
    'CPkW6ZbqE+DzSWfLzJMNhkFHEFZPAP611zNsveNzX9YiPis+37V0YmM1NdsLLmbUQJPMCYTSuCN5v0qvA2c3l0IRHUVU77VVIrtCwc7uj2BXdZFI',
    'L0fyrjmcPmh9DIH0ehxRJQmaBYvQ5jDfLWG4zdFtlLwCh1jXLJVTJmWo7ovU+pEtZ3VFlCidbo+oGTUkFRK6V0XrD3VkCg68iQ2BbBASnb522e33',
    'FDMP51NmiF180egasfx8yTmTJ3ZZ6ALX1zdXYW9nxMPBSodxGHinypVtkeYk5Uvnf4VzxpOQwYbEBOJvrSpurzuoBb0yUPCjDVfHeXURUyCoYilp',
    'Qf7FSA==',
  ),
  pssSignature: base64(
    'JQE4NMkqbrW5jtX+uNDuuGUEhf23UIiKpa1AWIXpXdlPTlla4jmFU7tdVwY2W7u+0q+iBE2jCfMp5RuaaI+KdfiNS3VKQlH8fd+6pf9DqgEw17yM',
    'qqFaCsN2gqbcZotshnnh5RXUQD3Mufp2PnuBVLNZorYnv+musi/on0DJYbkh1IisPPENpp4m8b7fjpWmgGxnfzba3/mup+X+7Yuh76sBK7QkoXt7',
    'qoeMkasKgFMTOntv6f39Urn8fh6etzV1x51ccr1tW0L9w00iRYVxPtkwSeZPdwN4ivy9zOa9Tu0XEoIu+v/OhgK/bHVfgMfZdkWH1rL3xrh32OSr',
    'AqorRw==',
  ),
} as const;

/** The first case of test/vectors/blob-suite1-vectors.json. */
export const BLOB_ANSWER = {
  kek: hex('4c975fd070747621b8dee2da8f099890d4a04d48d65da1757ae98b051cf78dd7'),
  header: {
    purpose: 1,
    kekVersion: 7,
    keyId: 'k-0001',
    usage: 'encrypt',
    objectVersion: 1,
    algorithm: 2,
    createdAt: 1_790_000_000_000,
  },
  salt: hex('3946bef64c52b5f4d8fe9eb4b81af12b'),
  content: hex('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'),
  blob: hex(
    '4b4d433101010000000700066b2d303030310007656e6372797074000000010002000001a0c4506c0000000020' +
      '3946bef64c52b5f4d8fe9eb4b81af12b4517968ec40d96befbe96252d467375899b47e42b23adcd1802ab7ce711c2207' +
      '94867916f174d5ce4f19cf2182da3720bba4c07461358aff45f5df9086cd06ff',
  ),
} as const;
