-- +goose Up
-- The files that readers see and that have no attestation, by package: how many of them would fail what is demanded.
CREATE INDEX artifact_unattested ON artifact (channel_id, name, id) WHERE length(sidecar_sha256) = 0 AND listed > 0 AND deleted_us IS NULL;
