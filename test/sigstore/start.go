package sigstore

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net"
	"path/filepath"
	"testing"
)

// startTimestamps runs the timestamp authority, with keys that it makes and forgets.
func (i *Instance) startTimestamps(t testing.TB) {
	t.Helper()
	i.run(t, "timestamp-server", url(timestampPort)+"/ping",
		"serve", "--host", host, "--port", timestampPort, "--timestamp-signer", "memory", "--disable-ntp-monitoring")
}

// startFulcio runs the certificate authority, with a root that it makes and forgets.
func (i *Instance) startFulcio(t testing.TB, issuer string) {
	t.Helper()
	config, err := json.Marshal(fulcioConfig(issuer))
	must(t, err)
	i.run(t, "fulcio", authorityURL(),
		"serve", "--host", host, "--port", fulcioPort, "--grpc-host", host, "--grpc-port", fulcioInsidePort, "--metrics-port", "0",
		"--ca", "ephemeralca", "--ct-log-url", url(certificatesPort),
		"--config-path", i.file(t, "fulcio.json", config))
}

// startCertificates runs the log of certificates, which takes those of the authority alone.
func (i *Instance) startCertificates(t testing.TB) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	i.certificateLog = key.Public()
	i.run(t, "tesseract", url(certificatesPort)+"/ct/v1/get-roots",
		"--http_endpoint", net.JoinHostPort(host, certificatesPort), "--origin", certificatesOrigin,
		"--private_key", i.file(t, "certificates.pem", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})),
		"--roots_pem_file", i.file(t, "roots.pem", encode(i.authority(t))), "--storage_dir", filepath.Join(i.dir, "certificates"),
		"--checkpoint_interval", "100ms", "--batch_max_age", "10ms")
}

// startRekor runs the log of signatures.
func (i *Instance) startRekor(t testing.TB) {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	i.signatureLog = public
	i.run(t, "rekor-server", url(rekorPort)+"/healthz",
		"serve", "--http-address", host, "--http-port", rekorPort, "--grpc-address", host, "--grpc-port", rekorInsidePort, "--http-metrics-port", rekorFiguresPort,
		"--hostname", rekorOrigin, "--storage-dir", filepath.Join(i.dir, "rekor"), "--checkpoint-interval", "100ms", "--batch-max-age", "10ms",
		"--signer-filepath", i.file(t, "rekor.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

// fulcioConfig is the configuration of the authority for a CI service with GitHub's claims (sigstore/fulcio,
// pkg/config and docs/oid-info.md): from which claim it takes what it writes of a job into a certificate.
func fulcioConfig(issuer string) map[string]any {
	const service = "github-workflow"
	return map[string]any{
		"OIDCIssuers": map[string]any{issuer: map[string]any{
			"IssuerURL": issuer, "ClientID": Audience, "Type": "ci-provider", "CIProvider": service, "Contact": "nobody@example.com", "Description": "a stand-in",
		}},
		"CIIssuerMetadata": map[string]any{service: map[string]any{
			"DefaultTemplateValues":          map[string]string{"url": issuer, "environment": ""},
			"SubjectAlternativeNameTemplate": "{{ .url }}/{{ .job_workflow_ref }}",
			"ExtensionTemplates": map[string]string{
				"BuildSignerURI":                      "{{ .url }}/{{ .job_workflow_ref }}",
				"BuildSignerDigest":                   "job_workflow_sha",
				"RunnerEnvironment":                   "runner_environment",
				"SourceRepositoryURI":                 "{{ .url }}/{{ .repository }}",
				"SourceRepositoryDigest":              "sha",
				"SourceRepositoryRef":                 "ref",
				"SourceRepositoryIdentifier":          "repository_id",
				"SourceRepositoryOwnerURI":            "{{ .url }}/{{ .repository_owner }}",
				"SourceRepositoryOwnerIdentifier":     "repository_owner_id",
				"BuildConfigURI":                      "{{ .url }}/{{ .workflow_ref }}",
				"BuildConfigDigest":                   "workflow_sha",
				"BuildTrigger":                        "event_name",
				"RunInvocationURI":                    "{{ .url }}/{{ .repository }}/actions/runs/{{ .run_id }}/attempts/{{ .run_attempt }}",
				"SourceRepositoryVisibilityAtSigning": "repository_visibility",
				"DeploymentEnvironment":               "environment",
			},
		}},
	}
}

// encode writes certificates as a PEM file.
func encode(chain []*x509.Certificate) (out []byte) {
	for _, c := range chain {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}
