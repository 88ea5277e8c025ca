package page

import "time"

// CheckView is the page on which owners have the index of their channel compared with its artifacts.
type CheckView struct {
	Head ChannelHead
	// Job is the check that goes on, or was the last; nil when there was none.
	Job *CheckJob
}

// CheckJob is a check.
type CheckJob struct {
	// Running and Broken are its state; neither: it is done.
	Running, Broken bool
	// Problem is why it is broken, when that is known.
	Problem string
	By      string
	// Quick, Repair and Verify are what was asked for.
	Quick, Repair, Verify bool
	Started               time.Time
	Ended                 time.Time
	// Step is what is looked at, Done of Total artifacts were.
	Step        string
	Done, Total int64
	// Differences are how many there are, Repairable how many of them a repair makes right, Repaired how many it did.
	Differences, Repairable, Repaired int
	// Found are the first of them.
	Found []CheckDifference
	// Attested, Unattested and Failed are how many files were found to be so, where each was looked at by itself; Wrong are the
	// first things that are wrong with those that failed.
	Attested, Unattested, Failed int64
	Wrong                        []CheckWrong
}

// CheckWrong is one thing that is wrong with a file.
type CheckWrong struct{ File, Code, Detail string }

// CheckDifference is one thing that is not as it should be.
type CheckDifference struct{ Where, Kind, Stored, Expected string }

// asked is what was asked for, by whom, and when.
func (j CheckJob) asked(now time.Time) string {
	what := "A check"
	switch {
	case j.Repair:
		what = "A repair"
	case j.Verify && j.Quick:
		what = "A quick look at every file"
	case j.Verify:
		what = "A look at every file"
	case j.Quick:
		what = "A quick check"
	}
	what += " by " + show(j.By) + ", begun " + ago(j.Started, now)
	if !j.Ended.IsZero() {
		what += ", ended " + ago(j.Ended, now)
	}
	return what
}

// looked is what a look at every file found.
func (j CheckJob) looked() string {
	return number(j.Attested) + " attested, " + number(j.Unattested) + " as they should be without an attestation, " + number(j.Failed) + " failed."
}

// percent is how far the check is.
func (j CheckJob) percent() string {
	if j.Total == 0 {
		return "0"
	}
	return number(j.Done * 100 / j.Total)
}
