from django.db.migrations.operations.base import Operation


class CreateRoute(Operation):
    """Makes the table of a model a routed table.

    keys: outermost first, each (kind, field) or (kind, field, {argument: value}) with the kinds
    and arguments of router.by_list, by_date, by_integer, by_prefix, by_suffix, by_hash.
    settings: the named arguments of router.create_route.
    Reversed, it takes the rows back into the table, by INSERT, and drops the children.
    """

    def __init__(self, model_name, keys, **settings):
        self.model_name = model_name
        self.keys = keys
        self.settings = settings

    def state_forwards(self, app_label, state):
        pass  # the model stays as it is

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        model = to_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        # What this migration did before must be on the table before children copy it.
        while schema_editor.deferred_sql:
            schema_editor.execute(schema_editor.deferred_sql.pop(0))
        keys, params = [], [schema_editor.quote_name(model._meta.db_table)]
        for kind, field, *arguments in self.keys:
            named = dict(*arguments)
            keys.append("router.by_%s(%s)" % (kind, ", ".join(["%s"] + [f"{name} => %s" for name in named])))
            params += [model._meta.get_field(field).column, *named.values()]
        settings = "".join(f", {name} => %s" for name in self.settings)
        params += self.settings.values()
        schema_editor.execute(f"SELECT router.create_route(%s, ARRAY[{', '.join(keys)}]{settings})", params)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        model = from_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        table = schema_editor.quote_name(model._meta.db_table)
        columns = ", ".join(schema_editor.quote_name(field.column) for field in model._meta.local_concrete_fields)
        base, insert = ("'" + sql.replace("'", "''") + "'" for sql in (
            table, f"INSERT INTO {table} ({columns}) SELECT {columns} FROM "))
        schema_editor.execute(f"""
            DO $route$
            DECLARE
                child regclass;
                children regclass[] := ARRAY(SELECT c.child FROM router.children c WHERE c.base = {base}::regclass);
            BEGIN
                PERFORM router.drop_route({base});
                FOREACH child IN ARRAY children LOOP
                    EXECUTE {insert} || child;
                    EXECUTE 'DROP TABLE ' || child;
                END LOOP;
            END $route$""", params=None)

    def describe(self):
        return f"Route model {self.model_name} by {', '.join(field for _, field, *_ in self.keys)}"
