import java.io.FileInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.Base64;
import java.util.Collection;
import java.util.Collections;
import java.util.Set;
import javax.net.ssl.KeyManagerFactory;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.ExtensionsGenerator;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.est.CSRRequestResponse;
import org.bouncycastle.est.ESTAuth;
import org.bouncycastle.est.ESTException;
import org.bouncycastle.est.ESTService;
import org.bouncycastle.est.EnrollmentResponse;
import org.bouncycastle.est.jcajce.JcaHttpAuthBuilder;
import org.bouncycastle.est.jcajce.JcaJceUtils;
import org.bouncycastle.est.jcajce.JsseDefaultHostnameAuthorizer;
import org.bouncycastle.est.jcajce.JsseESTServiceBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.PKCS10CertificationRequestBuilder;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;

/**
 * An EST client that shares no code with the product. Arguments: port, file of the transport root, label, user, token,
 * subject and subjectAltName (base64 of DER). It fetches CA certificates and csrattrs, enrols under Basic, re-enrols for the
 * same and for a new key under TLS with the certificate it got, and prints a line for each with what it saw.
 */
public class BouncyCastleEst {
    static int port;
    static String label;
    static Set<TrustAnchor> anchors;
    static X500Name subject;
    static GeneralNames names;

    static ESTService service(KeyPair key, X509Certificate certificate) throws Exception {
        JsseESTServiceBuilder builder =
            new JsseESTServiceBuilder("localhost", port, JcaJceUtils.getCertPathTrustManager(anchors, null));
        builder.withLabel(label);
        builder.withHostNameAuthorizer(new JsseDefaultHostnameAuthorizer(Collections.<String>emptySet()));
        if (key != null) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(null, null);
            store.setKeyEntry("device", key.getPrivate(), new char[0], new X509Certificate[] {certificate});
            KeyManagerFactory factory = KeyManagerFactory.getInstance("SunX509");
            factory.init(store, new char[0]);
            builder.withKeyManager(factory.getKeyManagers()[0]);
        }
        return builder.build();
    }

    static PKCS10CertificationRequest request(KeyPair key) throws Exception {
        ExtensionsGenerator extensions = new ExtensionsGenerator();
        extensions.addExtension(Extension.subjectAlternativeName, false, names);
        PKCS10CertificationRequestBuilder builder = new JcaPKCS10CertificationRequestBuilder(subject, key.getPublic());
        builder.addAttribute(PKCSObjectIdentifiers.pkcs_9_at_extensionRequest, extensions.generate());
        return builder.build(new JcaContentSignerBuilder("SHA256withRSA").setProvider("BC").build(key.getPrivate()));
    }

    static X509Certificate only(EnrollmentResponse response) throws Exception {
        Collection<X509CertificateHolder> all = response.getStore().getMatches(null);
        if (all.size() != 1) throw new IllegalStateException(all.size() + " certificates");
        return new JcaX509CertificateConverter().getCertificate(all.iterator().next());
    }

    static String shown(String what, X509Certificate certificate) {
        return what + " " + certificate.getSerialNumber().toString(16);
    }

    static KeyPair newKey() throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
        generator.initialize(2048);
        return generator.generateKeyPair();
    }

    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        port = Integer.parseInt(args[0]);
        try (FileInputStream in = new FileInputStream(args[1])) {
            X509Certificate root = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
            anchors = Collections.singleton(new TrustAnchor(root, null));
        }
        label = args[2];
        subject = X500Name.getInstance(Base64.getDecoder().decode(args[5]));
        names = GeneralNames.getInstance(Base64.getDecoder().decode(args[6]));

        ESTService anonymous = service(null, null);
        System.out.println("cacerts " + anonymous.getCACerts().getCertificateStore().getMatches(null).size());
        CSRRequestResponse attributes = anonymous.getCSRAttributes();
        System.out.println("csrattrs " + attributes.getAttributesResponse().getRequirements().size());

        KeyPair key = newKey();
        ESTAuth wrong = new JcaHttpAuthBuilder("est", args[3], "AAAAAAAAAAAAAAAA".toCharArray()).build();
        try {
            anonymous.simpleEnroll(false, request(key), wrong);
            System.out.println("wrong token accepted");
        } catch (ESTException refused) {
            System.out.println("refused " + refused.getStatusCode());
        }
        ESTAuth auth = new JcaHttpAuthBuilder("est", args[3], args[4].toCharArray()).build();
        X509Certificate first = only(anonymous.simpleEnroll(false, request(key), auth));
        System.out.println(shown("enrolled", first));
        System.out.println(shown("renewed", only(service(key, first).simpleEnroll(true, request(key), null))));
        KeyPair next = newKey();
        X509Certificate second = only(service(key, first).simpleEnroll(true, request(next), null));
        System.out.println(shown("rekeyed", second));
        System.out.println(second.getPublicKey().equals(next.getPublic()) ? "ok" : "another key");
    }
}
