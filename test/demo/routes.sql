CREATE TABLE consumption (
    id               bigserial,
    residence_id     integer NOT NULL REFERENCES residence ON DELETE CASCADE,
    accommodation_id integer NOT NULL REFERENCES accommodation ON DELETE CASCADE,
    read_at          timestamptz NOT NULL,
    value            numeric(10,2) NOT NULL,
    PRIMARY KEY (id, residence_id)
);
CREATE TABLE temperature (
    id               bigserial,
    residence_id     integer NOT NULL REFERENCES residence ON DELETE CASCADE,
    accommodation_id integer NOT NULL REFERENCES accommodation ON DELETE CASCADE,
    read_at          timestamptz NOT NULL,
    value            numeric(10,2) NOT NULL,
    PRIMARY KEY (id, residence_id, read_at)
);
CREATE TABLE humidity (
    id               bigserial,
    residence_id     integer NOT NULL REFERENCES residence ON DELETE CASCADE,
    accommodation_id integer NOT NULL REFERENCES accommodation ON DELETE CASCADE,
    read_at          timestamptz NOT NULL,
    value            numeric(10,2) NOT NULL,
    PRIMARY KEY (id, read_at)
);

SELECT router.create_route('consumption', router.by_list('residence_id', label => 'SELECT code FROM public.residence WHERE id = $1'));
SELECT router.create_route('temperature', ARRAY[router.by_list('residence_id'), router.by_date('read_at', 'year')]);
SELECT router.create_route('humidity', router.by_date('read_at', 'month'));
