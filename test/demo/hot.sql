-- A sensor log: 100 sensors, a reading every ten minutes. Its base keeps a week.
CREATE TABLE sensor_log (
    sensor_id integer,
    read_at   timestamptz,
    value     numeric(10,2) NOT NULL,
    PRIMARY KEY (sensor_id, read_at)
);
CREATE INDEX ON sensor_log (read_at);
SELECT router.create_route('sensor_log', router.by_date('read_at', 'month'), hot => '7 days');
