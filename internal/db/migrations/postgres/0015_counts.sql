-- +goose Up
-- How many of a package's files that readers see a CI run published with attestations, and how many were imported.
ALTER TABLE package ADD COLUMN attested BIGINT NOT NULL DEFAULT 0;
ALTER TABLE package ADD COLUMN imported BIGINT NOT NULL DEFAULT 0;
UPDATE package SET
  attested = (SELECT count(*) FROM artifact a WHERE a.channel_id = package.channel_id AND a.name = package.name AND a.listed > 0 AND a.deleted_us IS NULL
    AND a.provenance IS NOT NULL AND length(a.sidecar_sha256) > 0),
  imported = (SELECT count(*) FROM artifact a WHERE a.channel_id = package.channel_id AND a.name = package.name AND a.listed > 0 AND a.deleted_us IS NULL
    AND a.provenance IS NULL AND a.source <> '');
