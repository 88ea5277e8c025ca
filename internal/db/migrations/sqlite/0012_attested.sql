-- +goose Up
-- Which file of a package was the newest with an attestation.
CREATE INDEX artifact_attested ON artifact (channel_id, name, created_us) WHERE length(sidecar_sha256) > 0 AND deleted_us IS NULL;
