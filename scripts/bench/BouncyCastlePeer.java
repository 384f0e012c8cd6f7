import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.math.BigInteger;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.SecureRandom;
import java.security.Security;
import java.security.spec.ECGenParameterSpec;
import java.util.Date;
import java.util.HashMap;
import java.util.Map;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.crypto.AsymmetricCipherKeyPair;
import org.bouncycastle.crypto.ec.CustomNamedCurves;
import org.bouncycastle.crypto.engines.SM2Engine;
import org.bouncycastle.crypto.generators.ECKeyPairGenerator;
import org.bouncycastle.crypto.params.ECDomainParameters;
import org.bouncycastle.crypto.params.ECKeyGenerationParameters;
import org.bouncycastle.crypto.params.ParametersWithRandom;
import org.bouncycastle.crypto.signers.SM2Signer;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/**
 * BouncyCastle as a peer of the benchmarks: each line on stdin, an operation and milliseconds, is answered with operations
 * per second of the thread's processor time. Single-file program, started with bcprov and bcpkix on the class path.
 */
public class BouncyCastlePeer {
  interface Operation {
    Object run() throws Exception;
  }

  public static void main(String[] args) throws Exception {
    Security.addProvider(new BouncyCastleProvider());
    Map<String, Operation> operations = operations();
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    BufferedReader orders = new BufferedReader(new InputStreamReader(System.in));
    for (String line = orders.readLine(); line != null; line = orders.readLine()) {
      String[] order = line.split(" ");
      Operation operation = operations.get(order[0]);
      long end = threads.getCurrentThreadCpuTime();
      long start = end;
      long limit = start + Long.parseLong(order[1]) * 1_000_000L;
      int count = 0;
      for (; end < limit; end = threads.getCurrentThreadCpuTime(), count++) operation.run();
      System.out.println(count / ((end - start) / 1e9));
      System.out.flush();
    }
  }

  static Map<String, Operation> operations() throws Exception {
    SecureRandom random = new SecureRandom();
    var curve = CustomNamedCurves.getByName("sm2p256v1");
    var domain = new ECDomainParameters(curve.getCurve(), curve.getG(), curve.getN(), curve.getH());
    var generator = new ECKeyPairGenerator();
    generator.init(new ECKeyGenerationParameters(domain, random));
    AsymmetricCipherKeyPair pair = generator.generateKeyPair();
    byte[] message = new byte[500];
    byte[] plain = new byte[64];
    var signer = new SM2Signer();
    signer.init(true, new ParametersWithRandom(pair.getPrivate(), random));
    signer.update(message, 0, message.length);
    byte[] signature = signer.generateSignature();
    var verifier = new SM2Signer();
    verifier.init(false, pair.getPublic());
    var encryptor = new SM2Engine(SM2Engine.Mode.C1C3C2);
    encryptor.init(true, new ParametersWithRandom(pair.getPublic(), random));
    byte[] ciphertext = encryptor.processBlock(plain, 0, plain.length);
    var decryptor = new SM2Engine(SM2Engine.Mode.C1C3C2);
    decryptor.init(false, pair.getPrivate());
    KeyPairGenerator jca = KeyPairGenerator.getInstance("EC", "BC");
    jca.initialize(new ECGenParameterSpec("sm2p256v1"), random);
    KeyPair issuer = jca.generateKeyPair();
    KeyPair subject = jca.generateKeyPair();
    ContentSigner contentSigner =
        new JcaContentSignerBuilder("SM3withSM2").setProvider("BC").build(issuer.getPrivate());
    var extensions = new JcaX509ExtensionUtils();
    var subjectKeyId = extensions.createSubjectKeyIdentifier(subject.getPublic());
    var authorityKeyId = extensions.createAuthorityKeyIdentifier(issuer.getPublic());
    var names = new GeneralNames(new GeneralName(GeneralName.dNSName, "gw1.beijing.extranet.example"));
    X500Name issuerName = new X500Name("C=CN,O=Government Extranet,CN=SM2 Issuing CA");
    X500Name subjectName = new X500Name("C=CN,O=Government Extranet,CN=gw1.beijing.extranet.example");
    Map<String, Operation> table = new HashMap<>();
    table.put("sign", () -> {
      signer.update(message, 0, message.length);
      return signer.generateSignature();
    });
    table.put("verify", () -> {
      verifier.update(message, 0, message.length);
      if (!verifier.verifySignature(signature)) throw new IllegalStateException("the signature does not verify");
      return null;
    });
    table.put("keygen", () -> jca.generateKeyPair().getPrivate().getEncoded());
    table.put("encrypt", () -> encryptor.processBlock(plain, 0, plain.length));
    table.put("decrypt", () -> decryptor.processBlock(ciphertext, 0, ciphertext.length));
    table.put("certificate", () -> {
      Date now = new Date();
      var builder = new JcaX509v3CertificateBuilder(issuerName, new BigInteger(127, random), now,
          new Date(now.getTime() + 86_400_000L), subjectName, subject.getPublic());
      builder.addExtension(Extension.authorityKeyIdentifier, false, authorityKeyId);
      builder.addExtension(Extension.subjectKeyIdentifier, false, subjectKeyId);
      builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(false));
      builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature));
      builder.addExtension(Extension.subjectAlternativeName, false, names);
      return builder.build(contentSigner).getEncoded();
    });
    return table;
  }
}
