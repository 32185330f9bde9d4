import java.time.Instant;
import java.time.temporal.ChronoUnit;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;

/** What the default chain of the AWS SDK for Java finds: the access key id and when it expires. */
public final class Probe {
    public static void main(String[] arguments) {
        try (DefaultCredentialsProvider chain = DefaultCredentialsProvider.builder().build()) {
            AwsCredentials credentials = chain.resolveCredentials();
            Instant expiration = credentials.expirationTime().orElseThrow();
            System.out.println(credentials.accessKeyId() + " " + expiration.truncatedTo(ChronoUnit.SECONDS));
        }
    }
}
