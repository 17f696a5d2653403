"""orm.py TABLE PATH: writes readings as an ORM does, and believes what it is told.

orm_bulk is bulk_create(): INSERT of many VALUES ... RETURNING id, in batches.
orm_save is save(): a prepared INSERT ... RETURNING id for each object.
Fails where the database does not answer with one new id a row.
"""
import sys

import psycopg2
from psycopg2.extras import execute_values

COLUMNS = "residence_id, accommodation_id, read_at, value"
BATCH = 500


def bulk_create(cursor, table, objects):
    for start in range(0, len(objects), BATCH):
        batch = objects[start:start + BATCH]
        rows = execute_values(
            cursor, f"INSERT INTO {table} ({COLUMNS}) VALUES %s RETURNING id",
            batch, page_size=BATCH, fetch=True)
        if not len(rows) == len(batch) == cursor.rowcount:
            sys.exit(f"{table}: {len(batch)} rows sent, {len(rows)} returned, count {cursor.rowcount}")
        yield from (row[0] for row in rows)


def save(cursor, table, objects):
    cursor.execute(f"PREPARE save (int, int, timestamptz, numeric) AS "
                   f"INSERT INTO {table} ({COLUMNS}) VALUES ($1, $2, $3, $4) RETURNING id")
    for reading in objects:
        cursor.execute("EXECUTE save (%s, %s, %s, %s)", reading)
        if cursor.rowcount != 1:
            sys.exit(f"{table}: count {cursor.rowcount} for one row")
        yield cursor.fetchone()[0]


def main(table, path):
    with psycopg2.connect("") as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT {COLUMNS} FROM input.{table} WHERE path = %s ORDER BY n", (path,))
        objects = cursor.fetchall()
        write = bulk_create if path == "orm_bulk" else save
        ids = set(write(cursor, table, objects))
        if len(ids) != len(objects):
            sys.exit(f"{table}: {len(objects)} rows, {len(ids)} different ids")
    print(f"{len(ids)} new ids")


main(*sys.argv[1:])
