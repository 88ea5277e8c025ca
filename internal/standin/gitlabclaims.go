package standin

import (
	"cmp"
	"crypto/rand"
	"path"
	"strconv"
	"time"
)

// Claims are the claims of a token for the audience: the set that GitLab 18.9 documents (docs.gitlab.com, ID token
// authentication), issued when the job started, each token with an id of its own. The caller may change them.
func (j *GitLabJob) Claims(audience string) map[string]any {
	claims := map[string]any{
		"jti": uuidOf(rand.Text()), "iss": j.service.issuer,
		"aud": cmp.Or(audience, j.service.site), "iat": j.started.Unix(), "nbf": j.started.Add(-5 * time.Second).Unix(),
		"exp":         j.started.Add(j.Timeout).Unix(),
		"pipeline_id": strconv.Itoa(j.PipelineID), "pipeline_source": j.Source, "job_id": strconv.Itoa(j.JobID),
		"ref": j.Ref, "ref_type": j.refType(), "ref_path": j.RefPath(), "ref_protected": strconv.FormatBool(!j.Unprotected),
		"runner_id": j.RunnerID, "runner_environment": j.Runner, "sha": j.SHA, "project_visibility": j.Visibility,
		"ci_config_ref_uri": j.ConfigRef(), "ci_config_sha": j.SHA,
	}
	j.addProjects(claims)
	j.addPerson(claims)
	if j.Environment != "" {
		claims["environment"], claims["deployment_tier"], claims["environment_action"] = j.Environment, j.Tier, "start"
		claims["environment_protected"] = strconv.FormatBool(!j.UnprotectedEnvironment)
	}
	return claims
}

// addProjects tells of the project that the code is from, and of the one in which the job runs. They differ in
// merge requests from forks. Before 18.2, GitLab told of the latter by the names of the former.
func (j *GitLabJob) addProjects(claims map[string]any) {
	project := map[string]any{
		"project_path": j.Path(), "project_id": j.ProjectID, "namespace_path": j.Namespace, "namespace_id": j.NamespaceID,
	}
	for name, v := range project {
		claims[name] = v
		if !j.Unpatched {
			claims["job_"+name] = v
		}
	}
	if !j.Unpatched {
		claims["job_source"] = j.Source
		if from := j.MergeRequestFrom; from != "" {
			claims["project_path"], claims["project_id"] = from, idOf(from)
			claims["namespace_path"], claims["namespace_id"] = path.Dir(from), idOf(path.Dir(from))
		}
	}
	claims["sub"] = "project_path:" + claims["project_path"].(string) + ":ref_type:" + j.refType() + ":ref:" + j.Ref
}

func (j *GitLabJob) addPerson(claims map[string]any) {
	claims["user_id"], claims["user_login"], claims["user_email"] = "4711", PrivateLogin, PrivateEmail
	claims["user_access_level"], claims["groups_direct"] = "maintainer", []string{j.Namespace}
	claims["user_identities"] = []map[string]string{{"provider": "github", "extern_uid": PrivateIdentity}}
}

// gitlabClaims are what GitLab names, which is what it tells of people who sign in, not what tokens of jobs say.
func gitlabClaims(*Service) []string {
	return []string{"iss", "sub", "aud", "exp", "iat", "sub_legacy", "name", "nickname", "preferred_username", "email",
		"email_verified", "website", "profile", "picture", "groups", "groups_direct"}
}

// gitlabRoutes has pages alone: a job has its tokens from the start, and asks for none.
func gitlabRoutes(s *Service) { gitlabPages(s) }
