-- Tables of router_oc_owner, who has put a canary wherever an owner can define code: it notes in "seen" as whom it
-- runs and whether that is restricted, and tries to leave settings behind.
CREATE SCHEMA mal AUTHORIZATION router_oc_owner;
GRANT USAGE ON SCHEMA mal TO PUBLIC;
CREATE TABLE seen (call text, place text, who name, restricted boolean);
GRANT INSERT, SELECT ON seen TO PUBLIC;

SET SESSION AUTHORIZATION router_oc_owner;
CREATE FUNCTION mal.note(place text) RETURNS void LANGUAGE plpgsql SET client_min_messages = error AS $$
DECLARE
    restricted boolean := false;
    call text := current_setting('canary.call', true);
BEGIN
    IF coalesce(call, '') = '' THEN
        RETURN;
    END IF;
    BEGIN
        EXECUTE 'DEALLOCATE ALL';
    EXCEPTION WHEN insufficient_privilege THEN
        restricted := SQLERRM LIKE '%security-restricted%';
    END;
    INSERT INTO public.seen VALUES (call, place, current_user, restricted);
    PERFORM set_config('canary.kept', 'here', false), set_config('work_mem', '7777kB', false),
            set_config('lock_timeout', '7777s', false), set_config('TimeZone', 'Asia/Tokyo', false);
    IF restricted THEN
        PERFORM set_config('search_path', 'mal, public', false), set_config('row_security', 'off', false);
    END IF;
END $$;
CREATE FUNCTION mal.i(place text, v int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM mal.note(place); RETURN v; END $$;
CREATE FUNCTION mal.b(place text, v int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM mal.note(place); RETURN true; END $$;
CREATE FUNCTION mal.fire() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM mal.note(TG_NAME);
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE FUNCTION mal.label(d date) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM mal.note('label'); RETURN to_char(d, 'YYYYMMDD'); END $$;
CREATE DOMAIN mal.checked AS int CHECK (mal.b('domain', VALUE));
CREATE DOMAIN mal.filled AS int DEFAULT mal.i('domain default', 7);
CREATE FUNCTION mal.likes(int, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM mal.note('operator'); RETURN true; END $$;
CREATE OPERATOR mal.=== (LEFTARG = int, RIGHTARG = text, FUNCTION = mal.likes);
CREATE TYPE mal.pair AS (a int, b mal.checked);
CREATE FUNCTION mal.to_pair(int) RETURNS mal.pair LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM mal.note('cast'); RETURN ROW($1, $1)::mal.pair; END $$;
CREATE CAST (int AS mal.pair) WITH FUNCTION mal.to_pair(int) AS IMPLICIT;
CREATE TABLE mal.ref (r int PRIMARY KEY);
INSERT INTO mal.ref VALUES (1);

-- A table with all of it. What has constants only is evaluated when it is planned, or an index is opened.
CREATE FUNCTION mal.make(name text) RETURNS void LANGUAGE plpgsql AS $f$
DECLARE
    command text;
BEGIN
    FOREACH command IN ARRAY ARRAY[
        $$CREATE TABLE mal.%1$I (id int, d date, n int, def int DEFAULT mal.i('default', 1),
              gen int GENERATED ALWAYS AS (mal.i('generated', n)) STORED, c mal.checked, cs mal.checked[], p mal.pair, f mal.filled,
              r int REFERENCES mal.ref ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE,
              CONSTRAINT chk CHECK (mal.b('check', n)), CONSTRAINT chk_const CHECK (n > mal.i('check const', -1)),
              CONSTRAINT chk_operator CHECK (n OPERATOR(mal.===) 'x'), CONSTRAINT chk_cast CHECK ((n::mal.pair).a IS NOT NULL))$$,
        $$ALTER TABLE mal.%1$I ADD CONSTRAINT %1$s_excl EXCLUDE USING btree ((mal.i('exclusion', id)) WITH =)$$,
        $$CREATE INDEX %1$s_i ON mal.%1$I (mal.i('index', n))$$,
        $$CREATE INDEX ON mal.%1$I (n) WHERE mal.b('predicate', n)$$,
        $$CREATE UNIQUE INDEX ON mal.%1$I (mal.i('unique index', id), d)$$,
        $$CREATE INDEX ON mal.%1$I ((n + mal.i('index const', 1)))$$,
        $$CREATE INDEX ON mal.%1$I (d) WHERE mal.b('predicate const', 1)$$,
        $$CREATE STATISTICS mal.%1$s_stat ON (mal.i('statistics', n)), id FROM mal.%1$I$$,
        $$CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OR DELETE ON mal.%1$I FOR EACH ROW EXECUTE FUNCTION mal.fire()$$,
        $$CREATE TRIGGER after_row AFTER INSERT OR UPDATE OR DELETE ON mal.%1$I FOR EACH ROW EXECUTE FUNCTION mal.fire()$$,
        $$CREATE TRIGGER before_statement BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON mal.%1$I EXECUTE FUNCTION mal.fire()$$,
        $$CREATE TRIGGER after_statement AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON mal.%1$I EXECUTE FUNCTION mal.fire()$$,
        $$CREATE TRIGGER conditional AFTER UPDATE ON mal.%1$I FOR EACH ROW WHEN (mal.b('when', NEW.n)) EXECUTE FUNCTION mal.fire()$$,
        $$CREATE CONSTRAINT TRIGGER deferred AFTER INSERT OR UPDATE OR DELETE ON mal.%1$I DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mal.fire()$$,
        $$CREATE POLICY pol ON mal.%1$I USING (mal.b('policy using', n)) WITH CHECK (mal.b('policy check', n))$$,
        $$ALTER TABLE mal.%1$I ENABLE ROW LEVEL SECURITY$$,
        $$ALTER TABLE mal.%1$I FORCE ROW LEVEL SECURITY$$,
        $$GRANT ALL ON mal.%1$I TO router_oc_app$$]
    LOOP
        EXECUTE format(command, name);
    END LOOP;
END $f$;
CREATE FUNCTION mal.fill(name text, first int, n int, dated date, step int) RETURNS void LANGUAGE plpgsql AS $f$
BEGIN
    EXECUTE format($$INSERT INTO mal.%I (id, d, n, r, c, cs, p)
                     SELECT i, $3 + (i - $1) * $4, i, 1, 1, '{1}', '(1,1)' FROM generate_series($1, $1 + $2 - 1) i$$, name)
      USING first, n, dated, step;
END $f$;
RESET SESSION AUTHORIZATION;
