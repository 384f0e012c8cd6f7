import java.io.FileInputStream;
import java.io.InputStream;
import java.math.BigInteger;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PublicKey;
import java.security.Security;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import org.bouncycastle.asn1.ASN1BitString;
import org.bouncycastle.asn1.ASN1Integer;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.ASN1Primitive;
import org.bouncycastle.asn1.ASN1Sequence;
import org.bouncycastle.asn1.ASN1Set;
import org.bouncycastle.asn1.ASN1TaggedObject;
import org.bouncycastle.asn1.DERNull;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.gm.GMNamedCurves;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.asn1.ocsp.OCSPObjectIdentifiers;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.Extensions;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x9.X9ECParameters;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.ocsp.BasicOCSPResp;
import org.bouncycastle.cert.ocsp.CertificateID;
import org.bouncycastle.cert.ocsp.CertificateStatus;
import org.bouncycastle.cert.ocsp.OCSPReqBuilder;
import org.bouncycastle.cert.ocsp.OCSPResp;
import org.bouncycastle.cert.ocsp.RespID;
import org.bouncycastle.cert.ocsp.RevokedStatus;
import org.bouncycastle.cert.ocsp.SingleResp;
import org.bouncycastle.crypto.engines.SM2Engine;
import org.bouncycastle.crypto.engines.SM4Engine;
import org.bouncycastle.crypto.params.ECDomainParameters;
import org.bouncycastle.crypto.params.ECPrivateKeyParameters;
import org.bouncycastle.crypto.params.KeyParameter;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.util.encoders.Hex;
import org.bouncycastle.operator.DigestCalculator;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;

/**
 * BouncyCastle as a witness over what the product made. One check per line of arguments; prints `ok` or throws.
 *   chain FILE...                each certificate (DER) is signed by the next, the last by itself
 *   crl CRL ISSUER               the CRL (DER) is signed by the issuer's certificate (DER)
 *   csr CSR                      the PKCS#10 request (DER) verifies under its own key
 *   package FILE D POINT SPKI    opens the SignedAndEnvelopedData with the scalar D, compares dG with POINT, and verifies the
 *                                signature over the content under the key SPKI (DER)
 *   skf FILE D POINT             opens the ENVELOPEDKEYBLOB, either convention, and compares dG with POINT
 *   ocsp URL ISSUER SERIAL=STATUS...   asks the responder under SHA-1, SHA-256 and SM3, with and without a nonce
 *   envelope FILE D POINT        opens the SM2EnvelopedKey with the scalar D and compares dG with POINT (hex, 65 octets)
 */
public class BouncyCastleCheck {
    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        String[] rest = Arrays.copyOfRange(args, 1, args.length);
        switch (args[0]) {
            case "chain": chain(rest); break;
            case "crl": crl(rest); break;
            case "csr": csr(rest); break;
            case "envelope": envelope(rest); break;
            case "package": keyPackage(rest); break;
            case "skf": skf(rest); break;
            case "ocsp": ocsp(rest); break;
            default: throw new IllegalArgumentException(args[0]);
        }
        System.out.println("ok");
    }

    static X509Certificate certificate(String file) throws Exception {
        try (FileInputStream in = new FileInputStream(file)) {
            return (X509Certificate) CertificateFactory.getInstance("X.509", "BC").generateCertificate(in);
        }
    }

    static void chain(String[] files) throws Exception {
        for (int i = 0; i < files.length; i++) {
            PublicKey issuer = certificate(files[Math.min(i + 1, files.length - 1)]).getPublicKey();
            certificate(files[i]).verify(issuer, "BC");
        }
    }

    static void crl(String[] files) throws Exception {
        try (FileInputStream in = new FileInputStream(files[0])) {
            X509CRL list = (X509CRL) CertificateFactory.getInstance("X.509", "BC").generateCRL(in);
            list.verify(certificate(files[1]).getPublicKey(), "BC");
        }
    }

    static void csr(String[] files) throws Exception {
        PKCS10CertificationRequest request = new PKCS10CertificationRequest(Files.readAllBytes(Path.of(files[0])));
        boolean holds = request.isSignatureValid(
            new JcaContentVerifierProviderBuilder().setProvider("BC").build(request.getSubjectPublicKeyInfo()));
        if (!holds) throw new IllegalStateException("the request does not verify");
    }

    static byte[] post(String url, byte[] body) throws Exception {
        HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection();
        connection.setDoOutput(true);
        connection.setRequestProperty("Content-Type", "application/ocsp-request");
        connection.getOutputStream().write(body);
        try (InputStream in = connection.getInputStream()) {
            return in.readAllBytes();
        }
    }

    static String statusOf(SingleResp single) {
        if (single.getCertStatus() == CertificateStatus.GOOD) return "good";
        return single.getCertStatus() instanceof RevokedStatus ? "revoked" : "unknown";
    }

    /** The responder stands under the issuer, for OCSP alone; its signature and the nonce hold; the status is as told. */
    static void ask(String url, X509CertificateHolder issuer, String hash, byte[] nonce, String[] expected) throws Exception {
        DigestCalculator digest = new JcaDigestCalculatorProviderBuilder().setProvider("BC").build()
            .get(new AlgorithmIdentifier(new ASN1ObjectIdentifier(hash), DERNull.INSTANCE));
        CertificateID id = new CertificateID(digest, issuer, new BigInteger(expected[0], 16));
        OCSPReqBuilder builder = new OCSPReqBuilder().addRequest(id);
        Extension extension = nonce == null ? null
            : new Extension(OCSPObjectIdentifiers.id_pkix_ocsp_nonce, false, new DEROctetString(nonce).getEncoded());
        if (extension != null) builder.setRequestExtensions(new Extensions(extension));
        OCSPResp response = new OCSPResp(post(url, builder.build().getEncoded()));
        if (response.getStatus() != OCSPResp.SUCCESSFUL) throw new IllegalStateException("status " + response.getStatus());
        BasicOCSPResp basic = (BasicOCSPResp) response.getResponseObject();
        X509CertificateHolder responder = basic.getCerts()[0];
        JcaContentVerifierProviderBuilder verifier = new JcaContentVerifierProviderBuilder().setProvider("BC");
        if (!responder.isSignatureValid(verifier.build(issuer))) throw new IllegalStateException("the responder is not the issuer's");
        if (!basic.isSignatureValid(verifier.build(responder))) throw new IllegalStateException("the answer does not verify");
        if (!ExtendedKeyUsage.fromExtensions(responder.getExtensions()).hasKeyPurposeId(KeyPurposeId.id_kp_OCSPSigning)) {
            throw new IllegalStateException("the responder may not sign OCSP answers");
        }
        RespID named = new RespID(responder.getSubjectPublicKeyInfo(), new JcaDigestCalculatorProviderBuilder()
            .setProvider("BC").build().get(RespID.HASH_SHA1));
        if (!named.equals(basic.getResponderId())) throw new IllegalStateException("another responder is named");
        Extension echoed = basic.getExtension(OCSPObjectIdentifiers.id_pkix_ocsp_nonce);
        if (nonce == null ? echoed != null : !extension.equals(echoed)) throw new IllegalStateException("the nonce differs");
        SingleResp single = basic.getResponses()[0];
        if (!single.getCertID().equals(id)) throw new IllegalStateException("another certificate is named");
        if (!statusOf(single).equals(expected[1])) throw new IllegalStateException(statusOf(single));
    }

    static void ocsp(String[] args) throws Exception {
        X509CertificateHolder issuer = new X509CertificateHolder(Files.readAllBytes(Path.of(args[1])));
        byte[] nonce = new byte[32];
        Arrays.fill(nonce, (byte) 7);
        for (String expected : Arrays.copyOfRange(args, 2, args.length)) {
            for (String hash : new String[] {"1.3.14.3.2.26", "2.16.840.1.101.3.4.2.1", "1.2.156.10197.1.401"}) {
                ask(args[0], issuer, hash, null, expected.split("="));
                ask(args[0], issuer, hash, nonce, expected.split("="));
            }
        }
    }

    static byte[] fixed(BigInteger value) {
        byte[] bytes = value.toByteArray();
        byte[] out = new byte[32];
        int length = Math.min(bytes.length, 32);
        System.arraycopy(bytes, bytes.length - length, out, 32 - length, length);
        return out;
    }

    /** DER SM2Cipher to the raw order C1 C3 C2 that the engine takes. */
    static byte[] raw(ASN1Sequence cipher) {
        byte[] x = fixed(ASN1Integer.getInstance(cipher.getObjectAt(0)).getPositiveValue());
        byte[] y = fixed(ASN1Integer.getInstance(cipher.getObjectAt(1)).getPositiveValue());
        byte[] c3 = ASN1OctetString.getInstance(cipher.getObjectAt(2)).getOctets();
        byte[] c2 = ASN1OctetString.getInstance(cipher.getObjectAt(3)).getOctets();
        byte[] out = new byte[65 + c3.length + c2.length];
        out[0] = 4;
        System.arraycopy(x, 0, out, 1, 32);
        System.arraycopy(y, 0, out, 33, 32);
        System.arraycopy(c3, 0, out, 65, c3.length);
        System.arraycopy(c2, 0, out, 65 + c3.length, c2.length);
        return out;
    }

    static ECDomainParameters domain() {
        X9ECParameters curve = GMNamedCurves.getByName("sm2p256v1");
        return new ECDomainParameters(curve.getCurve(), curve.getG(), curve.getN());
    }

    /** The SM4 key behind a raw C1 C3 C2. */
    static byte[] unwrapped(byte[] cipher, String scalar) throws Exception {
        SM2Engine engine = new SM2Engine(SM2Engine.Mode.C1C3C2);
        engine.init(false, new ECPrivateKeyParameters(new BigInteger(scalar, 16), domain()));
        return engine.processBlock(cipher, 0, cipher.length);
    }

    static byte[] sm4(byte[] key, byte[] encrypted) {
        SM4Engine sm4 = new SM4Engine();
        sm4.init(false, new KeyParameter(key));
        byte[] plain = new byte[encrypted.length];
        for (int at = 0; at < encrypted.length; at += 16) sm4.processBlock(encrypted, at, plain, at);
        return plain;
    }

    static void requirePoint(byte[] d, String expected) {
        byte[] point = domain().getG().multiply(new BigInteger(1, d)).normalize().getEncoded(false);
        if (!Arrays.equals(point, Hex.decode(expected))) throw new IllegalStateException("dG is another public key");
    }

    static void envelope(String[] args) throws Exception {
        ASN1Sequence envelope = ASN1Sequence.getInstance(ASN1Primitive.fromByteArray(Files.readAllBytes(Path.of(args[0]))));
        byte[] key = unwrapped(raw(ASN1Sequence.getInstance(envelope.getObjectAt(1))), args[1]);
        requirePoint(sm4(key, ASN1BitString.getInstance(envelope.getObjectAt(3)).getOctets()), args[2]);
    }

    static void keyPackage(String[] args) throws Exception {
        ASN1Sequence data = ASN1Sequence.getInstance(ASN1Primitive.fromByteArray(Files.readAllBytes(Path.of(args[0]))));
        if (data.getObjectAt(0) instanceof ASN1ObjectIdentifier) {
            data = ASN1Sequence.getInstance(ASN1TaggedObject.getInstance(data.getObjectAt(1)), true);
        }
        ASN1Sequence recipient = ASN1Sequence.getInstance(ASN1Set.getInstance(data.getObjectAt(1)).getObjectAt(0));
        byte[] wrapped = ASN1OctetString.getInstance(recipient.getObjectAt(3)).getOctets();
        byte[] key = unwrapped(raw(ASN1Sequence.getInstance(wrapped)), args[1]);
        ASN1Sequence content = ASN1Sequence.getInstance(data.getObjectAt(3));
        byte[] encrypted =
            ASN1OctetString.getInstance(ASN1TaggedObject.getInstance(content.getObjectAt(2)), false).getOctets();
        byte[] plain = sm4(key, encrypted);
        requirePoint(Arrays.copyOfRange(plain, 32, 64), args[2]);
        ASN1Sequence signer =
            ASN1Sequence.getInstance(ASN1Set.getInstance(data.getObjectAt(data.size() - 1)).getObjectAt(0));
        Signature verifier = Signature.getInstance("SM3withSM2", "BC");
        verifier.initVerify(BouncyCastleProvider.getPublicKey(SubjectPublicKeyInfo.getInstance(Files.readAllBytes(Path.of(args[3])))));
        verifier.update(plain);
        if (!verifier.verify(ASN1OctetString.getInstance(signer.getObjectAt(4)).getOctets())) {
            throw new IllegalStateException("the package is signed by somebody else");
        }
    }

    static void skf(String[] args) throws Exception {
        byte[] blob = Files.readAllBytes(Path.of(args[0]));
        byte[] cipher = new byte[65 + 32 + 16];
        cipher[0] = 4;
        System.arraycopy(blob, 240, cipher, 1, 32);
        System.arraycopy(blob, 304, cipher, 33, 32);
        System.arraycopy(blob, 336, cipher, 65, 32);
        System.arraycopy(blob, 372, cipher, 97, 16);
        byte[] key = unwrapped(cipher, args[1]);
        requirePoint(sm4(key, Arrays.copyOfRange(blob, 44, 76)), args[2]);
    }
}
