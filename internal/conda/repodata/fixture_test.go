package repodata

import (
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sluice/internal/conda"
)

// listed is what the index knows of one package file.
type listed struct {
	file conda.Filename
	rec  conda.Record
	re   conda.RunExports
}

func filename(t testing.TB, s string) conda.Filename {
	t.Helper()
	f, err := conda.ParseFilename(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func subdir(t testing.TB, s string) conda.Subdir {
	t.Helper()
	d, err := conda.ParseSubdir(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// artifacts makes n records that look and compress like those of a big channel: names of 25 builds, five
// versions for five Pythons, dependencies mostly on popular names, which change a little from version to
// version, random hashes. Sorted by file name; the same every time.
func artifacts(t testing.TB, n int) []listed {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	var all []listed
	for i := 0; len(all) < n; i++ {
		name := fmt.Sprintf("lib%05x", i*7919%99991)
		deps := make([]string, min(int(math.Exp(rnd.NormFloat64()*0.7+1.9)), 60)+1)
		for d := range deps {
			deps[d] = drawDependency(rnd)
		}
		for v := range 5 {
			deps = slices.Clone(deps)
			deps[rnd.IntN(len(deps))] = drawDependency(rnd)
			for py := 9; py < 14 && len(all) < n; py++ {
				all = append(all, drawRecord(t, rnd, name, fmt.Sprintf("%d.%d.%d", v/2, v, i%7), py, deps))
			}
		}
	}
	slices.SortFunc(all, func(a, b listed) int { return cmp.Compare(a.file.String(), b.file.String()) })
	return all
}

func drawDependency(rnd *rand.Rand) string {
	u := rnd.Float64()
	dep := fmt.Sprintf("lib%05x", int(u*u*u*u*40000)*7919%99991)
	if rnd.IntN(4) > 0 {
		dep += fmt.Sprintf(" >=%d.%d.%d,<%d.0a0", rnd.IntN(3), rnd.IntN(20), rnd.IntN(5), rnd.IntN(3)+1)
	}
	return dep
}

func drawRecord(t testing.TB, rnd *rand.Rand, name, version string, py int, deps []string) listed {
	t.Helper()
	build := fmt.Sprintf("py3%d_h%07x_0", py, rnd.Uint32()&0xfffffff)
	a := listed{file: filename(t, name+"-"+version+"-"+build+conda.ExtConda), rec: conda.Record{
		Name: name, Version: version, Build: build, Subdir: subdir(t, "linux-64"),
		Depends:     append(slices.Clone(deps), fmt.Sprintf("python >=3.%d,<3.%d.0a0", py, py+1)),
		License:     "BSD-3-Clause",
		TimestampMS: 1_700_000_000_000 + int64(rnd.Uint32()), IndexedMS: 1_750_000_000_000 + int64(rnd.Uint32()),
		Size: int64(math.Exp(rnd.NormFloat64()*2 + 12)), MD5: md5.Sum([]byte(build)), SHA256: sha256.Sum256([]byte(build)),
	}}
	if py%2 == 0 {
		a.re.Weak = []string{name + " >=" + version}
	}
	return a
}

// jsonMembers are the members of repodata.json.
func jsonMembers(all []listed) [][]byte {
	ms := make([][]byte, len(all))
	for i, a := range all {
		ms[i] = Member(a.file, a.rec)
	}
	return ms
}

// indexMembers are the members of a shard index of n names.
func indexMembers(n int) [][]byte {
	ms := make([][]byte, n)
	for i := range ms {
		name := fmt.Sprintf("package-%05d", i)
		ms[i] = ShardIndexMember(name, sha256.Sum256([]byte(name)))
	}
	return ms
}
