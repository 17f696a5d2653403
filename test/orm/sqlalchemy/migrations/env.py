import os
import sys

from alembic import context
from sqlalchemy import create_engine

sys.path.insert(0, os.path.dirname(__file__))
from children import without_children
from models import metadata

with create_engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
    context.configure(connection=connection, target_metadata=metadata,
                      include_name=without_children(connection), transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
