-- Accounts and databases of a new server. No service but this one knows the superuser's password, and no account is a
-- superuser or may create accounts. `mlops state grant --apply` gives the accounts of the project their rights.
\getenv owner_password OWNER_PASSWORD
\getenv api_password API_PASSWORD
\getenv app_password APP_PASSWORD
\getenv monitor_password MONITOR_PASSWORD
\getenv loop_password LOOP_PASSWORD
\getenv mlflow_password MLFLOW_DATABASE_PASSWORD
CREATE ROLE mlops_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE mlops_api LOGIN PASSWORD :'api_password';
CREATE ROLE mlops_app LOGIN PASSWORD :'app_password';
CREATE ROLE mlops_monitor LOGIN PASSWORD :'monitor_password';
CREATE ROLE mlops_loop LOGIN PASSWORD :'loop_password';
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow_password';
-- For CI and for people who decide; a login needs a password, which the administrator sets later.
CREATE ROLE mlops_training LOGIN;
CREATE ROLE mlops_decider LOGIN;
CREATE DATABASE mlops OWNER mlops_owner;
CREATE DATABASE mlflow OWNER mlflow;
REVOKE CONNECT, TEMPORARY ON DATABASE mlops, mlflow, postgres, template1 FROM PUBLIC;
