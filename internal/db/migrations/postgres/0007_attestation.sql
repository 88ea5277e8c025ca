-- +goose Up
-- Attestations of artifacts, append-only. sha256 is of the bytes that each is for: those of a file that was replaced stay.
-- ordinal counts from 1 in the order of acceptance; sidecar_sha256 and sidecar_size are of the file of all up to this one.
CREATE TABLE attestation (
  artifact_id        BIGINT NOT NULL REFERENCES artifact ON DELETE CASCADE,
  sha256             BYTEA NOT NULL,
  ordinal            BIGINT NOT NULL,
  certificate_sha256 BYTEA NOT NULL,
  signature_sha256   BYTEA NOT NULL,
  bundle             BYTEA NOT NULL,
  verdict            TEXT NOT NULL,
  fit                TEXT NOT NULL,
  added_us           BIGINT NOT NULL,
  sidecar_sha256     BYTEA NOT NULL,
  sidecar_size       BIGINT NOT NULL,
  PRIMARY KEY (artifact_id, sha256, ordinal),
  UNIQUE (artifact_id, sha256, certificate_sha256, signature_sha256)
);
-- The file of all attestations of the artifact's bytes; empty: there are none.
ALTER TABLE artifact ADD COLUMN sidecar_sha256 BYTEA NOT NULL DEFAULT '';
