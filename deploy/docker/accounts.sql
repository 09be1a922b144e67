-- Accounts and databases of a new server. No service but this one knows the superuser's password.
\getenv owner_password OWNER_PASSWORD
\getenv mlflow_password MLFLOW_DATABASE_PASSWORD
CREATE ROLE mlops_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow_password';
CREATE DATABASE mlops OWNER mlops_owner;
CREATE DATABASE mlflow OWNER mlflow;
REVOKE CONNECT, TEMPORARY ON DATABASE mlops, mlflow, postgres FROM PUBLIC;
