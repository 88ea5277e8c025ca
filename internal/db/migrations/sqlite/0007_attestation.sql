-- +goose Up
-- Attestations of artifacts, append-only. sha256 is of the bytes that each is for: those of a file that was replaced stay.
-- ordinal counts from 1 in the order of acceptance; sidecar_sha256 and sidecar_size are of the file of all up to this one.
CREATE TABLE attestation (
  artifact_id        INTEGER NOT NULL REFERENCES artifact ON DELETE CASCADE,
  sha256             BLOB NOT NULL,
  ordinal            INTEGER NOT NULL,
  certificate_sha256 BLOB NOT NULL,
  signature_sha256   BLOB NOT NULL,
  bundle             BLOB NOT NULL,
  verdict            TEXT NOT NULL,
  fit                TEXT NOT NULL,
  added_us           INTEGER NOT NULL,
  sidecar_sha256     BLOB NOT NULL,
  sidecar_size       INTEGER NOT NULL,
  PRIMARY KEY (artifact_id, sha256, ordinal),
  UNIQUE (artifact_id, sha256, certificate_sha256, signature_sha256)
) STRICT;
-- The file of all attestations of the artifact's bytes; empty: there are none.
ALTER TABLE artifact ADD COLUMN sidecar_sha256 BLOB NOT NULL DEFAULT x'';
