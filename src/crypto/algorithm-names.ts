/** The kinds of key pair. `EC-P256` and `RSA` are for estates from before the upgrade. */
export type KeyAlgorithmName = 'SM2' | 'EC-P256' | 'RSA';

/** The signature algorithms. `RSA-SHA1` is for verifying old objects only. */
export type SignatureAlgorithmName = 'SM2-SM3' | 'ECDSA-P256-SHA256' | 'RSA-SHA256' | 'RSA-PSS-SHA256' | 'RSA-SHA1';
