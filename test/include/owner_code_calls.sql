-- Every call of router's, and DDL that children follow, by the role :caller, on tables of include/owner_code.sql.
SET SESSION AUTHORIZATION router_oc_owner;
SELECT mal.make(t) FROM unnest('{t,u,h,att,ad}'::text[]) t \g /dev/null
SELECT router.create_route('mal.t', router.by_date('d', 'month', label => 'SELECT mal.label($1)')) \g /dev/null
SELECT mal.fill('t', 1, 6, '2024-01-10', 20), mal.fill('u', 1, 6, '2024-01-10', 20), mal.fill('h', 1, 5, current_date - 90, 20),
       mal.fill('att', 1001, 3, '2020-01-01', 1), mal.fill('ad', 1, 3, '2024-01-10', 20) \g /dev/null
CREATE TABLE mal.ad_2020 (CHECK (d >= '2020-01-01' AND d < '2021-01-01'), CHECK (mal.b('adopted check', 1))) INHERITS (mal.ad);
SELECT mal.fill('ad_2020', 11, 2, '2020-01-10', 20) \g /dev/null
-- what syncing has to mend
DROP POLICY pol ON mal.att;
DROP INDEX mal.att_i;
DROP TRIGGER after_row ON mal.att;
DROP STATISTICS mal.att_stat;
SELECT mal.make('ex') \g /dev/null
SELECT router.create_route('mal.ex', router.by_date('d', 'month')) \g /dev/null
SELECT mal.fill('ex', 1, 3, '2024-01-10', 20) \g /dev/null
CREATE VIEW mal.of_ex AS SELECT mal.i('view', n) AS v, '(1,1)'::mal.pair AS p FROM mal.ex WHERE mal.b('view where', n);
RESET SESSION AUTHORIZATION;
SET ROLE :caller;
\set left 'INSERT INTO seen SELECT current_setting(\'canary.call\'), name || \' was left\', current_user, false FROM (VALUES (\'search_path\'), (\'row_security\'), (\'work_mem\'), (\'lock_timeout\'), (\'TimeZone\'), (\'canary.kept\')) s(name) WHERE current_setting(name, true) IN (\'mal, public\', \'off\', \'7777kB\', \'7777s\', \'Asia/Tokyo\', \'here\'); RESET search_path; RESET row_security; RESET work_mem; RESET lock_timeout; RESET timezone; SET canary.kept = \'\''
\o /dev/null
SET canary.call = 'check';
SELECT router.check('mal.t');
:left;
SET canary.call = 'statistics';
SELECT router.statistics('mal.t', true), router.skew('mal.t'), router.chart('mal.t', 'rows');
:left;
SET canary.call = 'create_route, dry run';
SELECT router.create_route('mal.u', router.by_date('d', 'month', label => 'SELECT mal.label($1)'), default_child => true, move_rows => true, dry_run => true);
:left;
SET canary.call = 'create_route';
SELECT router.create_route('mal.u', router.by_date('d', 'month', label => 'SELECT mal.label($1)'), default_child => true, move_rows => true);
:left;
SET canary.call = 'create_route, hot';
SELECT router.create_route('mal.h', router.by_date('d', 'month', label => 'SELECT mal.label($1)'), hot => '30 days');
:left;
SET canary.call = 'adopt, dry run';
SELECT router.adopt('mal.ad', router.by_date('d', 'year', label => 'SELECT mal.label($1)'), dry_run => true);
:left;
SET canary.call = 'adopt';
SELECT router.adopt('mal.ad', router.by_date('d', 'year', label => 'SELECT mal.label($1)'));
:left;
SET canary.call = 'alter_route';
SELECT router.alter_route('mal.t', default_child => true);
:left;
SET canary.call = 'create_child';
SELECT router.create_child('mal.t', '2023-01-01');
:left;
SET canary.call = 'attach_child';
SELECT router.attach_child('mal.t', 'mal.att', ARRAY['[2020-01-01,2020-02-01)']);
:left;
SET canary.call = 'check what was attached';
SELECT router.check('mal.t');
:left;
SET canary.call = 'sync, dry run';
SELECT router.sync('mal.t', dry_run => true);
:left;
SET canary.call = 'sync';
SELECT router.sync('mal.t');
:left;
SET canary.call = 'detach_child';
SELECT router.detach_child('mal.att');
:left;
SET canary.call = 'attach_child again';
SELECT router.attach_child('mal.t', 'mal.att', ARRAY['[2020-01-01,2020-02-01)']);
:left;
SET canary.call = 'premake';
SELECT router.premake('mal.t', 2);
:left;
SET canary.call = 'archive, dry run';
CALL router.archive('mal.h', dry_run => true);
:left;
SET canary.call = 'archive';
CALL router.archive('mal.h');
:left;
SET canary.call = 'archive_now';
SELECT router.archive_now('mal.h', (now() + interval '1 day')::date::text);
:left;
SET canary.call = 'restore';
SELECT router.restore((SELECT child FROM router.children WHERE base = 'mal.h'::regclass ORDER BY bounds DESC LIMIT 1));
:left;
SET canary.call = 'rotate';
CALL router.rotate('mal.h', dry_run => true);
CALL router.rotate('mal.h');
:left;
SET canary.call = 'end_hot';
SELECT router.end_hot('mal.h');
:left;
SET canary.call = 'add_global_key';
SELECT router.add_global_key('mal.t', '{id}');
:left;
SET canary.call = 'check_global_key';
SELECT router.check_global_key('mal.t');
:left;
SET canary.call = 'rebuild_global_key';
SELECT router.rebuild_global_key('mal.t', '{id}');
:left;
SET canary.call = 'drop_global_key';
SELECT router.drop_global_key('mal.t', '{id}');
:left;
SET canary.call = 'seal';
CALL router.seal('mal.att', '{id,n}');
:left;
SET canary.call = '';
SELECT 'DROP INDEX ' || indexrelid::regclass FROM pg_index WHERE indrelid = 'mal.att'::regclass AND pg_get_indexdef(indexrelid) ~ $$'index'$$ \gexec
SET canary.call = 'sync concurrently';
CALL router.sync('mal.t', concurrently => true);
:left;
SET canary.call = 'move_child';
CALL router.move_child('mal.t_20240401', tablespace => 'router_t_space');
:left;
SET canary.call = 'move_child in a block';
BEGIN;
CALL router.move_child('mal.t_20240301', tablespace => 'router_t_space');
COMMIT;
:left;
SET canary.call = 'set_maintenance';
SELECT router.set_maintenance('mal.t', premake => 4, keep => '4 years', retire => 'detach', seal => '{n}');
:left;
SET canary.call = 'maintain';
CALL router.maintain('mal.t');
:left;
SET canary.call = 'redistribute';
CALL router.redistribute('mal.u');
:left;
SET canary.call = 'views';
SELECT * FROM router.routes, router.children, router.seals, router.maintenance, router.progress;
:left;
SET canary.call = 'CREATE INDEX';
CREATE INDEX ON mal.t (mal.i('new index', n));
:left;
SET canary.call = 'EXCLUDE';
ALTER TABLE mal.t ADD CONSTRAINT excl2 EXCLUDE USING btree ((mal.i('new exclusion', id)) WITH =);
:left;
SET canary.call = 'CREATE STATISTICS';
CREATE STATISTICS mal.stat2 ON (mal.i('new statistics', n)), d FROM mal.t;
:left;
SET canary.call = 'CHECK NO INHERIT';
ALTER TABLE mal.t ADD CONSTRAINT chk_here CHECK (mal.b('check no inherit', n)) NO INHERIT;
:left;
SET canary.call = 'CREATE TRIGGER, POLICY, GRANT';
CREATE TRIGGER new_trigger BEFORE INSERT ON mal.t FOR EACH ROW EXECUTE FUNCTION mal.fire();
CREATE POLICY new_policy ON mal.t USING (mal.b('new policy', n));
GRANT SELECT ON mal.t TO router_oc_app;
:left;
SET canary.call = 'SET UNLOGGED';
ALTER TABLE mal.h SET UNLOGGED;
:left;
SET canary.call = 'VACUUM ANALYZE';
VACUUM ANALYZE mal.t;
:left;
SET canary.call = 'REINDEX';
REINDEX TABLE mal.t;
:left;
SET canary.call = 'CLUSTER';
CLUSTER mal.u USING u_i;
:left;
SET canary.call = 'VACUUM FULL';
VACUUM FULL mal.u;
:left;
SET canary.call = 'export_declarative';
SELECT router.export_declarative('mal.ex', allow_loss => true);
SELECT router.export_declarative('mal.ex', run => true, allow_loss => true);
:left;
SET canary.call = 'import_declarative';
SELECT router.import_declarative('mal.ex', dry_run => true);
SELECT router.import_declarative('mal.ex');
:left;
SET canary.call = 'drop_route';
SELECT router.drop_route('mal.t', dry_run => true, rows => 'base');
SELECT router.drop_route('mal.t', rows => 'base');
:left;
SET canary.call = '';
\o
RESET ROLE;
SELECT is_empty($$SELECT DISTINCT call, place, who, restricted FROM seen WHERE who <> 'router_oc_owner' OR NOT restricted$$,
    'what the owner defined runs as the owner, restricted, and leaves nothing: called by ' || :'caller');
SELECT bag_eq($$SELECT DISTINCT call FROM seen$$, $$SELECT unnest(ARRAY['statistics', 'create_route, dry run', 'create_route', 'create_route, hot', 'adopt, dry run', 'adopt', 'alter_route', 'create_child', 'premake', 'sync',
    'archive, dry run', 'archive', 'archive_now', 'restore', 'end_hot', 'add_global_key', 'check_global_key', 'rebuild_global_key', 'sync concurrently', 'move_child',
    'move_child in a block', 'maintain', 'CREATE INDEX', 'EXCLUDE', 'CHECK NO INHERIT', 'VACUUM ANALYZE', 'REINDEX', 'CLUSTER', 'VACUUM FULL', 'SET UNLOGGED', 'export_declarative', 'import_declarative', 'drop_route'])$$,
    'these did run some of it');
SELECT bag_eq($$SELECT DISTINCT place FROM seen$$, $$SELECT unnest(ARRAY['index', 'index const', 'predicate', 'predicate const', 'unique index', 'exclusion',
    'statistics', 'label', 'new index', 'new exclusion', 'check no inherit', 'new statistics', 'domain', 'check const'])$$, 'of what maintenance has to evaluate, everything');
SELECT is((SELECT count(*) FROM mal.t) || ' ' || (SELECT count(*) FROM mal.att) || ' ' || test.homes('mal.u'), '6 3 mal.u_20240101: 2, mal.u_20240201: 1, mal.u_20240301: 2, mal.u_20240401: 1', 'and did what they should');
TRUNCATE seen;
DROP TABLE mal.t, mal.u, mal.h, mal.att;
DROP TABLE mal.ex CASCADE;
DROP TABLE mal.ad CASCADE;
