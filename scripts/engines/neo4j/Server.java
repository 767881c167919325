import java.nio.file.Files;
import java.nio.file.Path;
import org.neo4j.dbms.api.DatabaseManagementServiceBuilder;

/** Neo4j as a server of its own: java -cp 'lib/*' Server.java HOME PASSWORD, configured by HOME/neo4j.conf. */
class Server {
  public static void main(String[] args) {
    var home = Path.of(args[0]);
    var isNew = Files.notExists(home.resolve("data"));
    var server = new DatabaseManagementServiceBuilder(home).loadPropertiesFromFile(home.resolve("neo4j.conf")).build();
    Runtime.getRuntime().addShutdownHook(new Thread(server::shutdown));
    if (isNew) server.database("system").executeTransactionally(
        "ALTER USER neo4j SET PLAINTEXT PASSWORD '" + args[1] + "' SET PASSWORD CHANGE NOT REQUIRED");
    System.out.println("ready for connections");
  }
}
