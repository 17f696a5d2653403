from django.db.migrations.operations.base import Operation


class CreateRoute(Operation):
    """Makes the table of a model a routed table.

    keys: outermost first, each (kind, field) or (kind, field, {argument: value}) with the kinds
    and arguments of router.by_list, by_date, by_integer, by_prefix, by_suffix, by_hash.
    settings: the named arguments of router.create_route.

    In a migration with atomic = False it calls router.convert, which commits as it goes: the table is read
    and written meanwhile. What is interrupted goes on with the next migrate.
    In a transaction it calls router.create_route, which takes an empty table, or with move_rows=True one
    with rows, from which it keeps others away meanwhile.
    Reversed, the table takes its rows back, by router.drop_route, which keeps others away as well.
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
        call = "CALL router.convert" if self.online(schema_editor, params[0]) else "SELECT router.create_route"
        schema_editor.execute(f"{call}(%s, ARRAY[{', '.join(keys)}]{settings})", params)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        model = from_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        # without a transaction it may have been done before the migration was interrupted
        schema_editor.execute("SELECT router.drop_route(base, rows => 'base') FROM router.routes WHERE base = to_regclass(%s)",
                              [schema_editor.quote_name(model._meta.db_table)])

    def online(self, schema_editor, table):
        if schema_editor.connection.in_atomic_block or "move_rows" in self.settings:
            return False
        if schema_editor.collect_sql:
            return True
        # not what was done before the migration was interrupted
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT FROM router.routes WHERE base = to_regclass(%s)", [table])
            return cursor.rowcount == 0

    def describe(self):
        return f"Route model {self.model_name} by {', '.join(field for _, field, *_ in self.keys)}"
