-- +goose Up
-- Publishers get conditions, a scope and a life. conditions and scope are JSON; owner_fold is what rules that mean
-- every repository of an owner are looked up by.
ALTER TABLE publisher ADD COLUMN any_repository INTEGER NOT NULL DEFAULT 0;
ALTER TABLE publisher ADD COLUMN owner_fold TEXT NOT NULL DEFAULT '';
ALTER TABLE publisher ADD COLUMN conditions TEXT NOT NULL DEFAULT '{}';
ALTER TABLE publisher ADD COLUMN scope TEXT NOT NULL DEFAULT '{}';
ALTER TABLE publisher ADD COLUMN expires_us INTEGER;
ALTER TABLE publisher ADD COLUMN idle_days INTEGER NOT NULL DEFAULT 0;
ALTER TABLE publisher ADD COLUMN disabled_us INTEGER;
ALTER TABLE publisher ADD COLUMN enabled_us INTEGER;
-- Until when the owners know of the publisher's end, so that each end is announced once.
ALTER TABLE publisher ADD COLUMN told_us INTEGER;
UPDATE publisher SET owner_fold = substr(repository_fold, 1, instr(repository_fold, '/') - 1);
UPDATE publisher SET conditions = json_object('environment', environment) WHERE environment <> '';
UPDATE publisher SET scope = json_object('right', 'publish', 'packages', json(packages), 'new_names', json('true'),
  'per_run', json_object('files', 500, 'bytes', 53687091200, 'names', 50));
ALTER TABLE publisher DROP COLUMN environment;
ALTER TABLE publisher DROP COLUMN packages;
CREATE INDEX publisher_owner ON publisher (issuer, owner_fold) WHERE removed_us IS NULL AND any_repository = 1;
CREATE INDEX publisher_owner_id ON publisher (issuer, owner_id) WHERE removed_us IS NULL AND any_repository = 1;

-- What a publisher's runs have shown so far of refs, events and runners.
CREATE TABLE publisher_seen (
  publisher_id INTEGER NOT NULL REFERENCES publisher ON DELETE CASCADE,
  kind         TEXT NOT NULL,
  value        TEXT NOT NULL,
  first_us     INTEGER NOT NULL,
  PRIMARY KEY (publisher_id, kind, value)
) STRICT;

-- What one run has published by one publisher.
CREATE TABLE run_use (
  publisher_id INTEGER NOT NULL REFERENCES publisher ON DELETE CASCADE,
  run          TEXT NOT NULL,
  files        INTEGER NOT NULL,
  bytes        INTEGER NOT NULL,
  names        INTEGER NOT NULL,
  last_us      INTEGER NOT NULL,
  PRIMARY KEY (publisher_id, run)
) STRICT;
CREATE INDEX run_use_last ON run_use (last_us);

ALTER TABLE channel ADD COLUMN publisher_only INTEGER NOT NULL DEFAULT 0;
ALTER TABLE event ADD COLUMN checks TEXT NOT NULL DEFAULT 'null';
