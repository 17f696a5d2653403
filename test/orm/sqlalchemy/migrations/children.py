from sqlalchemy import text


def without_children(connection):
    """An include_name hook for which the children of routed tables do not exist."""
    children = None

    def include_name(name, type_, parent_names):
        nonlocal children
        if type_ != "table":
            return True
        if children is None:  # not earlier: Alembic begins the transaction itself
            children = set()
            if connection.scalar(text("SELECT to_regclass('router.children')")):
                children.update(map(tuple, connection.execute(text(
                    "SELECT n.nspname, c.relname FROM router.children k JOIN pg_class c ON c.oid = k.child"
                    " JOIN pg_namespace n ON n.oid = c.relnamespace"))))
        schema = parent_names["schema_name"] or connection.dialect.default_schema_name
        return (schema, name) not in children

    return include_name
