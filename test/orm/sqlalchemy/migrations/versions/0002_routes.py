from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    with op.get_context().autocommit_block():  # router.convert commits as it goes
        op.execute("""
            CALL router.convert('consumption',
                router.by_list('residence_id', label => 'SELECT code FROM public.residence WHERE id = $1'))""")
        op.execute("""
            CALL router.convert('temperature',
                ARRAY[router.by_list('residence_id'), router.by_date('read_at', 'month')],
                time_zone => 'Europe/Brussels')""")
    op.execute("""
        SELECT router.create_route('humidity', router.by_date('read_at', 'month'),
            time_zone => 'Europe/Brussels', move_rows => true)""")


def downgrade():
    for base in ("consumption", "temperature", "humidity"):
        op.execute(f"SELECT router.drop_route('{base}', rows => 'base')")
