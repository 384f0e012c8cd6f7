import java.io.FileInputStream;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PublicKey;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import org.bouncycastle.asn1.ASN1BitString;
import org.bouncycastle.asn1.ASN1Integer;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.ASN1Primitive;
import org.bouncycastle.asn1.ASN1Sequence;
import org.bouncycastle.asn1.ASN1TaggedObject;
import org.bouncycastle.asn1.gm.GMNamedCurves;
import org.bouncycastle.asn1.x9.X9ECParameters;
import org.bouncycastle.crypto.engines.SM2Engine;
import org.bouncycastle.crypto.engines.SM4Engine;
import org.bouncycastle.crypto.params.ECDomainParameters;
import org.bouncycastle.crypto.params.ECPrivateKeyParameters;
import org.bouncycastle.crypto.params.KeyParameter;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.util.encoders.Hex;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;

/**
 * BouncyCastle as a witness over what the product made. One check per line of arguments; prints `ok` or throws.
 *   chain FILE...                each certificate (DER) is signed by the next, the last by itself
 *   crl CRL ISSUER               the CRL (DER) is signed by the issuer's certificate (DER)
 *   csr CSR                      the PKCS#10 request (DER) verifies under its own key
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

    static void envelope(String[] args) throws Exception {
        ASN1Sequence envelope = ASN1Sequence.getInstance(ASN1Primitive.fromByteArray(Files.readAllBytes(Path.of(args[0]))));
        X9ECParameters curve = GMNamedCurves.getByName("sm2p256v1");
        ECDomainParameters domain = new ECDomainParameters(curve.getCurve(), curve.getG(), curve.getN());
        SM2Engine engine = new SM2Engine(SM2Engine.Mode.C1C3C2);
        engine.init(false, new ECPrivateKeyParameters(new BigInteger(args[1], 16), domain));
        byte[] cipher = raw(ASN1Sequence.getInstance(envelope.getObjectAt(1)));
        byte[] key = engine.processBlock(cipher, 0, cipher.length);
        byte[] wrapped = ASN1BitString.getInstance(envelope.getObjectAt(3)).getOctets();
        SM4Engine sm4 = new SM4Engine();
        sm4.init(false, new KeyParameter(key));
        byte[] d = new byte[wrapped.length];
        for (int at = 0; at < wrapped.length; at += 16) sm4.processBlock(wrapped, at, d, at);
        byte[] point = domain.getG().multiply(new BigInteger(1, d)).normalize().getEncoded(false);
        if (!Arrays.equals(point, Hex.decode(args[2]))) throw new IllegalStateException("dG is another public key");
    }
}
