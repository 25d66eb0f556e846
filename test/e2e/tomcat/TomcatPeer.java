import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;

/**
 * A Tomcat with one connector for each maxKeepAliveRequests that the arguments name. It answers as
 * the upstream of the end-to-end tests does, prints a line of ports, and ends with its stdin.
 */
public class TomcatPeer {
  public static void main(String[] limits) throws Exception {
    java.util.logging.LogManager.getLogManager().reset();
    File base = Files.createTempDirectory("evenkeel-tomcat-").toFile();
    base.deleteOnExit();
    Tomcat tomcat = new Tomcat();
    tomcat.setBaseDir(base.getPath());
    Connector[] connectors = new Connector[limits.length];
    for (int i = 0; i < limits.length; i++) {
      connectors[i] = new Connector("HTTP/1.1");
      connectors[i].setPort(0);
      connectors[i].setProperty("address", "127.0.0.1");
      connectors[i].setProperty("maxKeepAliveRequests", limits[i]);
      tomcat.getService().addConnector(connectors[i]);
    }
    Context context = tomcat.addContext("", null);
    Tomcat.addServlet(context, "upstream", new Upstream());
    context.addServletMappingDecoded("/*", "upstream");
    tomcat.start();

    StringBuilder ports = new StringBuilder();
    for (Connector connector : connectors) ports.append(connector.getLocalPort()).append(' ');
    System.out.println(ports.toString().trim());
    while (System.in.read() >= 0) {}
    tomcat.stop();
    tomcat.destroy();
  }

  private static class Upstream extends HttpServlet {
    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      byte[] body = request.getInputStream().readAllBytes();
      String[] path = request.getRequestURI().split("/");
      String kind = path.length > 1 ? path[1] : "";
      byte[] answer = "hello\n".getBytes();
      if (kind.equals("echo")) {
        answer = body;
      } else if (kind.equals("bytes")) {
        answer = "x".repeat(Integer.parseInt(path[2])).getBytes();
      } else if (kind.equals("status")) {
        int status = Integer.parseInt(path[2]);
        response.setStatus(status);
        answer = (status == 404 ? "not here\n" : "").getBytes();
        if (answer.length == 0) return;
      }
      response.setContentLength(answer.length);
      if (!request.getMethod().equals("HEAD")) response.getOutputStream().write(answer);
    }
  }
}
