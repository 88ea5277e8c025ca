-- +goose Up
-- What the channel demands of attestations, as JSON over the usual.
ALTER TABLE channel ADD COLUMN attestations TEXT NOT NULL DEFAULT '{}';
