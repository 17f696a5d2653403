import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import javax.net.SocketFactory;
import org.postgresql.PGConnection;
import org.postgresql.util.PSQLException;

/** PostgreSQL's JDBC driver on routed tables. Each test is a line of TAP and has a session of its own. */
public class Suite {
    private static final String INSERT = "INSERT INTO consumption (residence_id, read_at, value) VALUES (?, ?, ?)";
    private static final String INSERT_HUMIDITY = INSERT.replace("consumption", "humidity");

    private interface Test {
        void run(Connection c) throws Exception;
    }

    private static final Map<String, Test> TESTS = new LinkedHashMap<>();

    static {
        TESTS.put("set-up: two routed tables", Suite::setUp);
        TESTS.put("create: update count, getGeneratedKeys, RETURNING", Suite::create);
        TESTS.put("a prepared statement that the server prepares", Suite::prepared);
        TESTS.put("bulk create: batches, with generated keys, rewritten to long VALUES", Suite::batches);
        TESTS.put("get and filter", Suite::filter);
        TESTS.put("update", Suite::update);
        TESTS.put("update of a key moves the row", Suite::updateKey);
        TESTS.put("update of a key in an updatable ResultSet moves the row", Suite::updateKeyInResultSet);
        TESTS.put("upsert: ON CONFLICT DO NOTHING, as a session's first statement too", Suite::doNothing);
        TESTS.put("upsert: ON CONFLICT DO UPDATE, as a session's first statement too", Suite::doUpdate);
        TESTS.put("delete, and the cascade from a residence", Suite::delete);
        TESTS.put("transactions: a rollback takes the child with it; savepoints", Suite::transactions);
        TESTS.put("errors: SQLSTATE, table and constraint; a batch that fails", Suite::errors);
        TESTS.put("COPY in and out", Suite::copy);
        TESTS.put("a cursor with a fetch size", Suite::fetchSize);
        TESTS.put("metadata: the base is a table as it was", Suite::metadata);
        TESTS.put("four sessions that need the same new children", Suite::sessions);
    }

    private static void setUp(Connection c) throws SQLException {
        execute(c, "CREATE TABLE residence (id int PRIMARY KEY, code text)");
        execute(c, "INSERT INTO residence VALUES (1, '0023'), (2, 'FAISANDERIE'), (3, NULL), (4, 'short-lived')");
        execute(c, "CREATE TABLE consumption (id bigserial, residence_id int REFERENCES residence ON DELETE CASCADE,"
            + " read_at timestamptz NOT NULL, value numeric NOT NULL CONSTRAINT not_negative CHECK (value >= 0),"
            + " PRIMARY KEY (id, residence_id), CONSTRAINT consumption_once UNIQUE (residence_id, read_at))");
        execute(c, "CREATE TABLE humidity (id bigint GENERATED ALWAYS AS IDENTITY, residence_id int REFERENCES residence"
            + " ON DELETE CASCADE, read_at timestamptz, value numeric NOT NULL, PRIMARY KEY (id, read_at))");
        query(c, "SELECT router.create_route('consumption', router.by_list('residence_id',"
            + " label => 'SELECT code FROM public.residence WHERE id = $1'))");
        query(c, "SELECT router.create_route('humidity', router.by_date('read_at', 'month'))");
    }

    private static void create(Connection c) throws SQLException {
        try (PreparedStatement s = c.prepareStatement(INSERT, Statement.RETURN_GENERATED_KEYS)) {
            reading(s, 1, at(1, 1), 10);
            same(s.executeUpdate(), 1);
            try (ResultSet keys = s.getGeneratedKeys()) {
                same(keys.next(), true);
                same(query(c, "SELECT tableoid::regclass FROM consumption WHERE id = " + keys.getLong("id")), List.of("consumption_0023"));
                same(keys.getInt("residence_id"), 1);
            }
        }
        try (PreparedStatement s = c.prepareStatement(INSERT_HUMIDITY, new String[] {"id"})) {
            reading(s, 1, at(2, 29), 55);
            same(s.executeUpdate(), 1);
            try (ResultSet keys = s.getGeneratedKeys()) {
                same(keys.next(), true);
                same(query(c, "SELECT tableoid::regclass FROM humidity WHERE id = " + keys.getLong(1)), List.of("humidity_y2024m02"));
            }
        }
        basesAreEmpty(c);
    }

    private static void prepared(Connection c) throws SQLException {
        Set<Long> ids = new HashSet<>();
        try (PreparedStatement s = c.prepareStatement(INSERT + " RETURNING id")) {
            for (int n = 0; n < 300; n++) {
                reading(s, 1 + n % 3, at(3, 1).plusHours(n), n);
                try (ResultSet rows = s.executeQuery()) {
                    same(rows.next(), true);
                    ids.add(rows.getLong(1));
                }
            }
        }
        same(ids.size(), 300);
        same(query(c, "SELECT tableoid::regclass || ' ' || count(*) FROM consumption GROUP BY tableoid ORDER BY 1"),
            List.of("\"consumption_FAISANDERIE\" 100", "consumption_0023 101", "consumption_3 100"));
        basesAreEmpty(c);
    }

    private static void batches(Connection ignored) throws Exception {
        for (String rewrite : List.of("false", "true")) {
            try (Connection c = connect("reWriteBatchedInserts", rewrite)) {
                try (PreparedStatement s = c.prepareStatement(INSERT_HUMIDITY, Statement.RETURN_GENERATED_KEYS)) {
                    for (int n = 0; n < 600; n++) {
                        reading(s, 1 + n % 3, at(1, 1).plusHours(n * 3), n % 100);
                        s.addBatch();
                    }
                    same(Arrays.stream(s.executeBatch()).filter(n -> n == 1 || n == Statement.SUCCESS_NO_INFO).count(), 600L);
                    Set<Long> ids = new HashSet<>();
                    try (ResultSet keys = s.getGeneratedKeys()) {
                        while (keys.next()) ids.add(keys.getLong("id"));
                    }
                    same(ids.size(), 600);
                }
                c.setAutoCommit(false);
                try (PreparedStatement s = c.prepareStatement(INSERT)) {
                    for (int n = 0; n < 600; n++) {
                        reading(s, 1 + n % 3, at(rewrite.equals("true") ? 5 : 4, 1).plusMinutes(n), n);
                        s.addBatch();
                    }
                    same(s.executeBatch().length, 600);
                }
                c.commit();
                basesAreEmpty(c);
            }
        }
        try (Connection c = connect()) {
            same(query(c, "SELECT count(*) FROM humidity"), List.of("1201"));
            same(query(c, "SELECT count(*) FROM consumption WHERE read_at >= '2024-04-01'"), List.of("1200"));
        }
    }

    private static void filter(Connection c) throws SQLException {
        try (PreparedStatement s = c.prepareStatement(
            "SELECT count(*), min(r.code) FROM humidity h JOIN residence r ON r.id = h.residence_id"
                + " WHERE read_at >= ? AND read_at < ? AND residence_id = ?")) {
            for (int day = 1; day < 20; day++) { // generic plans too
                s.setObject(1, at(1, day));
                s.setObject(2, at(1, day + 1));
                s.setInt(3, 2);
                try (ResultSet rows = s.executeQuery()) {
                    rows.next();
                    same(List.of(rows.getString(2), rows.getInt(1) == 4 || rows.getInt(1) == 6), List.of("FAISANDERIE", true));
                }
            }
        }
        same(query(c, "SELECT sum(value) FROM consumption WHERE read_at BETWEEN '2024-03-01Z' AND '2024-04-01Z' AND residence_id = 1"),
            List.of("14850"));
    }

    private static void update(Connection c) throws SQLException {
        same(execute(c, "UPDATE consumption SET value = value + 1 WHERE read_at >= '2024-05-01'"), 600);
        same(execute(c, "UPDATE consumption SET value = 0 WHERE id = -1"), 0);
        same(query(c, "UPDATE consumption SET value = 7 WHERE read_at = '2024-01-01Z' RETURNING value"), List.of("7"));
    }

    private static void updateKey(Connection c) throws SQLException {
        String before = query(c, "SELECT count(*) FROM humidity WHERE read_at >= '2024-03-01Z'").get(0);
        try (PreparedStatement s = c.prepareStatement("UPDATE humidity SET read_at = read_at + interval '1 year' WHERE read_at >= ?",
            new String[] {"read_at"})) {
            s.setObject(1, at(3, 1));
            same(String.valueOf(s.executeUpdate()), before);
            int keys = 0;
            for (ResultSet rows = s.getGeneratedKeys(); rows.next(); keys++) {
                same(rows.getObject(1, OffsetDateTime.class).getYear(), 2025);
            }
            same(String.valueOf(keys), before);
        }
        same(query(c, "SELECT count(*) FROM humidity_y2025m03"), List.of(before));
        same(execute(c, "UPDATE consumption SET residence_id = 4 WHERE residence_id = 3 AND read_at >= '2024-05-01Z'"), 200);
        same(query(c, "SELECT count(*) FROM \"consumption_short-lived\""), List.of("200"));
        same(query(c, "SELECT count(*) FROM humidity"), List.of("1201"));
        basesAreEmpty(c);
    }

    private static void updateKeyInResultSet(Connection c) throws SQLException {
        try (Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE);
            ResultSet rows = s.executeQuery("SELECT id, residence_id, read_at, value FROM consumption WHERE read_at = '2024-01-01Z'")) {
            rows.next();
            rows.updateInt("residence_id", 2);
            rows.updateBigDecimal("value", BigDecimal.ONE);
            rows.updateRow();
        }
        same(query(c, "SELECT tableoid::regclass || ' ' || value FROM consumption WHERE read_at = '2024-01-01Z'"),
            List.of("\"consumption_FAISANDERIE\" 1"));
        execute(c, "UPDATE consumption SET residence_id = 1 WHERE read_at = '2024-01-01Z'");
    }

    private static void doNothing(Connection ignored) throws Exception {
        String[] targets = {"", "(residence_id, read_at)", "ON CONSTRAINT consumption_once"};
        for (int i = 0; i < targets.length; i++) {
            for (int wanted : new int[] {1, 0}) {
                try (Connection c = connect(); PreparedStatement s = c.prepareStatement(
                    INSERT + ", (2, '2024-03-01 01:00Z', 1) ON CONFLICT " + targets[i] + " DO NOTHING")) {
                    reading(s, 1, at(7, 1 + i), 1);
                    same(s.executeUpdate(), wanted);
                }
            }
        }
    }

    private static void doUpdate(Connection ignored) throws Exception {
        int total = 1;
        for (String target : List.of("(residence_id, read_at)", "ON CONSTRAINT consumption_once")) {
            total++;
            try (Connection c = connect(); PreparedStatement s = c.prepareStatement(INSERT.replace("consumption", "consumption AS c")
                + " ON CONFLICT " + target + " DO UPDATE SET value = c.value + excluded.value WHERE c.value > 0", new String[] {"value"})) {
                reading(s, 1, at(7, 1), 1);
                same(s.executeUpdate(), 1);
                try (ResultSet keys = s.getGeneratedKeys()) {
                    keys.next();
                    same(keys.getInt(1), total);
                }
            }
        }
        try (Connection c = connect()) {
            same(state(() -> execute(c, "INSERT INTO consumption (residence_id, read_at, value) VALUES (1, '2024-08-01', 1),"
                + " (1, '2024-08-01', 2) ON CONFLICT (residence_id, read_at) DO UPDATE SET value = 3")), "21000");
        }
    }

    private static void delete(Connection c) throws SQLException {
        same(execute(c, "DELETE FROM consumption WHERE read_at >= '2024-07-01'"), 3);
        execute(c, "INSERT INTO humidity (residence_id, read_at, value) VALUES (4, '2024-09-01', 1), (4, '2024-10-01', 1)");
        execute(c, "INSERT INTO consumption (residence_id, read_at, value) VALUES (4, '2024-09-01', 1)");
        same(execute(c, "DELETE FROM residence WHERE id = 4"), 1);
        same(query(c, "SELECT read_at FROM consumption WHERE residence_id = 4 UNION ALL SELECT read_at FROM humidity WHERE residence_id = 4"),
            List.of());
    }

    private static void transactions(Connection c) throws SQLException {
        c.setAutoCommit(false);
        execute(c, "INSERT INTO humidity (residence_id, read_at, value) VALUES (1, '2001-01-01', 1)");
        c.rollback();
        same(query(c, "SELECT coalesce(to_regclass('humidity_y2001m01')::text, 'none')"), List.of("none"));
        execute(c, "INSERT INTO humidity (residence_id, read_at, value) VALUES (1, '2001-01-01', 1)");
        Savepoint savepoint = c.setSavepoint();
        execute(c, "INSERT INTO humidity (residence_id, read_at, value) VALUES (1, '2002-01-01', 1)");
        same(state(() -> execute(c, "INSERT INTO humidity (residence_id, read_at) VALUES (1, '2002-01-01')")), "23502");
        c.rollback(savepoint);
        execute(c, "INSERT INTO humidity (residence_id, read_at, value) VALUES (1, '2003-01-01', 1)");
        c.commit();
        same(query(c, "SELECT tableoid::regclass FROM humidity WHERE read_at < '2010-01-01' ORDER BY read_at"),
            List.of("humidity_y2001m01", "humidity_y2003m01"));
        same(query(c, "SELECT coalesce(to_regclass('humidity_y2002m01')::text, 'none')"), List.of("none"));
    }

    private static void errors(Connection c) throws Exception {
        record Wrong(String sql, int residence, OffsetDateTime at, Integer value, String... wanted) { }
        for (Wrong wrong : List.of(
            new Wrong(INSERT, 1, at(1, 1), 1, "23505", "consumption_0023", "consumption_0023_once"),
            new Wrong(INSERT, 9, at(1, 1), 1, "23503", "consumption_9", "consumption_residence_id_fkey"),
            new Wrong(INSERT, 1, at(1, 2), -1, "23514", "consumption_0023", "not_negative"),
            new Wrong(INSERT, 1, at(1, 2), null, "23502", "consumption_0023", null),
            new Wrong(INSERT_HUMIDITY, 1, at(1, 1).plusYears(7000), 1, "22008", null, null))) {
            try (PreparedStatement s = c.prepareStatement(wrong.sql)) {
                reading(s, wrong.residence, wrong.at, wrong.value);
                s.executeUpdate();
                throw new AssertionError("no error " + wrong.wanted[0]);
            } catch (PSQLException e) {
                same(Arrays.asList(e.getSQLState(), e.getServerErrorMessage().getTable(), e.getServerErrorMessage().getConstraint()),
                    Arrays.asList(wrong.wanted));
            }
        }
        c.setAutoCommit(false);
        try (PreparedStatement s = c.prepareStatement(INSERT)) {
            for (int month : new int[] {11, 12, 11}) {
                reading(s, 1, at(month, 1), 1);
                s.addBatch();
            }
            s.executeBatch();
            throw new AssertionError("no error");
        } catch (BatchUpdateException e) {
            same(e.getSQLState(), "23505");
        }
        c.rollback();
        same(query(c, "SELECT id FROM consumption WHERE read_at >= '2024-11-01'"), List.of());
    }

    private static void copy(Connection c) throws Exception {
        StringBuilder lines = new StringBuilder();
        for (int n = 0; n < 5000; n++) {
            lines.append(1 + n % 3).append('\t').append(at(1, 1).plusYears(1).plusHours(n)).append('\t').append(n).append('\n');
        }
        var copies = c.unwrap(PGConnection.class).getCopyAPI();
        same(copies.copyIn("COPY consumption (residence_id, read_at, value) FROM STDIN", new StringReader(lines.toString())), 5000L);
        StringWriter out = new StringWriter();
        same(copies.copyOut("COPY (SELECT value FROM consumption WHERE read_at >= '2025-01-01Z') TO STDOUT", out), 5000L);
        same(out.toString().lines().count(), 5000L);
        basesAreEmpty(c);
    }

    private static void fetchSize(Connection c) throws SQLException {
        c.setAutoCommit(false);
        try (PreparedStatement s = c.prepareStatement("SELECT id FROM consumption ORDER BY id")) {
            s.setFetchSize(100);
            int seen = 0;
            try (ResultSet rows = s.executeQuery()) {
                while (rows.next()) {
                    if (seen++ == 50) execute(c, "INSERT INTO consumption (residence_id, read_at, value) VALUES (2, '2030-01-01', 1)");
                }
            }
            same(List.of(String.valueOf(seen + 1)), query(c, "SELECT count(*) FROM consumption"));
        }
        c.rollback();
    }

    private static void metadata(Connection c) throws SQLException {
        List<String> keys = new ArrayList<>();
        try (ResultSet rows = c.getMetaData().getPrimaryKeys(null, "public", "consumption")) {
            while (rows.next()) keys.add(rows.getString("COLUMN_NAME"));
        }
        same(Set.copyOf(keys), Set.of("id", "residence_id"));
        try (ResultSet rows = c.getMetaData().getTables(null, "public", "consumption", new String[] {"TABLE"})) {
            same(rows.next(), true);
        }
        try (ResultSet rows = c.getMetaData().getColumns(null, "public", "consumption", "id")) {
            rows.next();
            same(rows.getString("IS_AUTOINCREMENT"), "YES");
        }
    }

    private static void sessions(Connection c) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Future<Integer>> results = new ArrayList<>();
        for (int day = 1; day <= 4; day++) {
            OffsetDateTime first = at(1, day).minusYears(25);
            results.add(pool.submit(() -> {
                try (Connection own = connect(); PreparedStatement s = own.prepareStatement(INSERT_HUMIDITY)) {
                    int made = 0;
                    for (int month = 0; month < 12; month++) {
                        reading(s, 1, first.plusMonths(month), 1);
                        made += s.executeUpdate();
                    }
                    return made;
                }
            }));
        }
        for (Future<Integer> result : results) same(result.get(), 12);
        pool.shutdown();
        same(query(c, "SELECT count(*) FROM humidity WHERE read_at < '2000-01-01'"), List.of("48"));
        basesAreEmpty(c);
    }

    // ---- helpers

    private static OffsetDateTime at(int month, int day) {
        return OffsetDateTime.of(2024, month, day, 0, 0, 0, 0, ZoneOffset.UTC);
    }

    private static void reading(PreparedStatement s, int residence, OffsetDateTime at, Integer value) throws SQLException {
        s.setInt(1, residence);
        s.setObject(2, at);
        s.setBigDecimal(3, value == null ? null : BigDecimal.valueOf(value));
    }

    private static int execute(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement()) {
            return s.executeUpdate(sql);
        }
    }

    /** The first column as text. */
    private static List<String> query(Connection c, String sql) throws SQLException {
        List<String> values = new ArrayList<>();
        try (Statement s = c.createStatement(); ResultSet rows = s.executeQuery(sql)) {
            while (rows.next()) values.add(rows.getString(1));
        }
        return values;
    }

    private static String state(Callable<?> statement) {
        try {
            statement.call();
            return "no error";
        } catch (SQLException e) {
            return e.getSQLState();
        } catch (Exception e) {
            return e.toString();
        }
    }

    private static void basesAreEmpty(Connection c) throws SQLException {
        same(query(c, "SELECT id FROM ONLY consumption UNION ALL SELECT id FROM ONLY humidity"), List.of());
    }

    private static void same(Object got, Object wanted) {
        if (!Objects.equals(got, wanted)) throw new AssertionError("got " + got + ", wanted " + wanted);
    }

    private static Connection connect(String... options) throws SQLException {
        var properties = new java.util.Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("sslmode", "disable");
        properties.setProperty("gssEncMode", "disable");
        properties.setProperty("prepareThreshold", "2");
        properties.setProperty("socketFactory", UnixSockets.class.getName());
        properties.setProperty("socketFactoryArg", System.getenv("PGHOST") + "/.s.PGSQL." + System.getenv("PGPORT"));
        for (int i = 0; i < options.length; i += 2) properties.setProperty(options[i], options[i + 1]);
        return DriverManager.getConnection("jdbc:postgresql://localhost/" + System.getenv("PGDATABASE"), properties);
    }

    /** The test's server listens on a unix socket only, which the driver cannot do by itself. */
    public static class UnixSockets extends SocketFactory {
        private final UnixDomainSocketAddress address;

        public UnixSockets(String path) {
            address = UnixDomainSocketAddress.of(path);
        }

        @Override
        public Socket createSocket() throws IOException {
            return new UnixSocket(SocketChannel.open(StandardProtocolFamily.UNIX), address);
        }

        @Override
        public Socket createSocket(String host, int port) throws IOException {
            return createSocket();
        }

        @Override
        public Socket createSocket(String host, int port, java.net.InetAddress local, int localPort) throws IOException {
            return createSocket();
        }

        @Override
        public Socket createSocket(java.net.InetAddress host, int port) throws IOException {
            return createSocket();
        }

        @Override
        public Socket createSocket(java.net.InetAddress host, int port, java.net.InetAddress local, int localPort) throws IOException {
            return createSocket();
        }
    }

    /** As much of a socket as the driver uses. */
    private static class UnixSocket extends Socket {
        private final SocketChannel channel;
        private final UnixDomainSocketAddress address;

        UnixSocket(SocketChannel channel, UnixDomainSocketAddress address) {
            this.channel = channel;
            this.address = address;
        }

        @Override
        public void connect(SocketAddress ignored, int timeout) throws IOException {
            channel.connect(address);
        }

        @Override
        public boolean isConnected() {
            return channel.isConnected();
        }

        @Override
        public InputStream getInputStream() {
            return Channels.newInputStream(channel);
        }

        @Override
        public OutputStream getOutputStream() {
            return Channels.newOutputStream(channel);
        }

        @Override
        public void setTcpNoDelay(boolean on) { }

        @Override
        public void setKeepAlive(boolean on) { }

        @Override
        public void setSoTimeout(int timeout) { }

        @Override
        public int getSoTimeout() {
            return 0;
        }

        @Override
        public int getSendBufferSize() {
            return 65536;
        }

        @Override
        public int getReceiveBufferSize() {
            return 65536;
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }

    public static void main(String[] args) {
        int number = 0;
        int failed = 0;
        System.out.println("1.." + TESTS.size());
        for (Map.Entry<String, Test> test : TESTS.entrySet()) {
            number++;
            try (Connection c = connect()) {
                test.getValue().run(c);
                System.out.println("ok " + number + " - " + test.getKey());
            } catch (Throwable e) {
                failed++;
                StringWriter trace = new StringWriter();
                e.printStackTrace(new java.io.PrintWriter(trace));
                System.out.println("not ok " + number + " - " + test.getKey() + "\n# " + trace.toString().replace("\n", "\n# "));
            }
        }
        System.exit(failed == 0 ? 0 : 1);
    }
}
