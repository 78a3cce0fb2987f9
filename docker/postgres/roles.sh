#!/bin/sh
# Once, when the database is made: the role that the gateway works as. It owns nothing, so the audit's triggers bind it.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$GATEWAY_ROLE_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE finance_gateway LOGIN PASSWORD :'password';
SQL
