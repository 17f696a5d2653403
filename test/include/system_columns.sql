-- Of write/system_columns: each kind of statement on table :t; what RETURNING says of a row is what the table says of it afterwards.
\set said 'format(''%s xmin %s xmax %s cmin %s cmax %s ctid %s'', t.tableoid::regclass, t.xmin, t.xmax, t.cmin, t.cmax, t.ctid)'
\set check 'SELECT is(:''said_of_it''::text, (SELECT :said FROM :t t WHERE id = :id), format(''%s: %s'', :''t''::text, :''what''::text))'
INSERT INTO :t AS t (id, k) VALUES (1, 1) RETURNING :said AS said_of_it, 1 AS id, 'the first INSERT of a session' AS what \gset
:check;
INSERT INTO :t AS t (id, k) VALUES (2, 1) RETURNING :said AS said_of_it, 2 AS id, 'INSERT' AS what \gset
:check;
INSERT INTO :t AS t (id, k) VALUES (3, 901) RETURNING :said AS said_of_it, 3 AS id, 'INSERT into a child of its own layout' AS what \gset
:check;
INSERT INTO :t AS t (id, k) VALUES (4, 1) ON CONFLICT (id, k) DO UPDATE SET v = 1 RETURNING :said AS said_of_it, 4 AS id, 'DO UPDATE that inserts' AS what \gset
:check;
INSERT INTO :t AS t (id, k) VALUES (4, 1) ON CONFLICT (id, k) DO UPDATE SET v = 1 RETURNING :said AS said_of_it, 4 AS id, 'DO UPDATE that updates' AS what \gset
:check;
UPDATE :t AS t SET v = 5 WHERE id = 3 RETURNING :said AS said_of_it, 3 AS id, 'UPDATE in place' AS what \gset
:check;
UPDATE :t AS t SET k = 21 WHERE id = 1 RETURNING :said AS said_of_it, 1 AS id, 'UPDATE that moves' AS what \gset
:check;
UPDATE :t AS t SET k = 902 WHERE id = 1 RETURNING :said AS said_of_it, 1 AS id, 'UPDATE that moves into a child of its own layout' AS what \gset
:check;
UPDATE :t AS t SET k = 22, v = x.v FROM (VALUES (1, 77)) x (id, v) WHERE x.id = t.id RETURNING :said AS said_of_it, 1 AS id, 'UPDATE that moves back, with FROM' AS what \gset
:check;
:fresh
SELECT current_setting('server_version_num')::int >= 170000 AS merge_returns \gset
\if :merge_returns
MERGE INTO :t t USING (VALUES (5, 2)) s (id, k) ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id, k) VALUES (s.id, s.k) RETURNING :said AS said_of_it, 5 AS id, 'MERGE that inserts' AS what \gset
:check;
MERGE INTO :t t USING (VALUES (6, 903)) s (id, k) ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id, k) VALUES (s.id, s.k) RETURNING :said AS said_of_it, 6 AS id, 'MERGE that inserts into a child of its own layout' AS what \gset
:check;
MERGE INTO :t t USING (VALUES (5, 2)) s (id, k) ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = 9 RETURNING :said AS said_of_it, 5 AS id, 'MERGE in place' AS what \gset
:check;
MERGE INTO :t t USING (VALUES (5, 904)) s (id, k) ON t.id = s.id WHEN MATCHED THEN UPDATE SET k = s.k RETURNING :said AS said_of_it, 5 AS id, 'MERGE that moves' AS what \gset
:check;
MERGE INTO :t t USING (VALUES (5, 31)) s (id, k) ON t.id = s.id WHEN MATCHED THEN UPDATE SET k = s.k RETURNING :said AS said_of_it, 5 AS id, 'MERGE that moves back' AS what \gset
:check;
WITH m AS (MERGE INTO :t t USING (VALUES (1, 32), (2, 33), (6, 905), (7, 41)) s (id, k) ON t.id = s.id WHEN MATCHED THEN UPDATE SET k = s.k, v = 50 + t.id WHEN NOT MATCHED THEN INSERT (id, k, v) VALUES (s.id, s.k, 0)
    RETURNING merge_action(), t.*, t.tableoid) SELECT is(string_agg(concat_ws(' ', merge_action, id, k, v, g, tableoid::regclass), ', ' ORDER BY id),
    format('UPDATE 1 32 51 510 %1$s_31_40, UPDATE 2 33 52 520 %1$s_31_40, UPDATE 6 905 56 560 %1$s_far, INSERT 7 41 0 0 %1$s_41_50', :'t'::text), :'t' || ': MERGE that does all') FROM m;
SELECT is((SELECT string_agg(concat_ws(' ', id, k, v), ', ' ORDER BY id) FROM :t WHERE id IN (1, 2, 6, 7)), '1 32 51, 2 33 52, 6 905 56, 7 41 0', :'t' || ': and the rows are so');
\else
SELECT skip('no MERGE ... RETURNING', 7);
\endif
