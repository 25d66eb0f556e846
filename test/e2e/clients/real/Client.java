import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * Sends GETs and POSTs through HttpClient's connection pool and prints what failed.
 *
 * <p>usage: java Client.java URL REQUESTS
 */
public class Client {
  private static final int WORKERS = 4;

  public static void main(String[] arguments) throws Exception {
    String url = arguments[0];
    int requests = Integer.parseInt(arguments[1]);
    HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    var workers = Executors.newFixedThreadPool(WORKERS);
    for (int i = 0; i < requests; i++) {
      int number = i;
      workers.submit(() -> send(client, url, number));
    }
    workers.shutdown();
    workers.awaitTermination(60, TimeUnit.SECONDS);
  }

  private static void send(HttpClient client, String url, int number) {
    boolean post = number % 2 == 1;
    String expected = post ? "x".repeat(1000) : "hello\n";
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + (post ? "/echo" : "/")));
    if (post) request.POST(HttpRequest.BodyPublishers.ofString(expected));
    try {
      var response = client.send(request.build(), HttpResponse.BodyHandlers.ofString());
      if (response.statusCode() != 200 || !response.body().equals(expected)) {
        System.out.println("request " + number + ": status " + response.statusCode());
      }
    } catch (Exception error) {
      System.out.println("request " + number + ": " + error);
    }
  }
}
