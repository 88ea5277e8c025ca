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
	// Quick and Repair are what was asked for.
	Quick, Repair bool
	Started       time.Time
	Ended         time.Time
	// Step is what is looked at, Done of Total artifacts were.
	Step        string
	Done, Total int64
	// Differences are how many there are, Repairable how many of them a repair makes right, Repaired how many it did.
	Differences, Repairable, Repaired int
	// Found are the first of them.
	Found []CheckDifference
}

// CheckDifference is one thing that is not as it should be.
type CheckDifference struct{ Where, Kind, Stored, Expected string }

// asked is what was asked for, and by whom.
func (j CheckJob) asked() string {
	what := "A check"
	switch {
	case j.Repair:
		what = "A repair"
	case j.Quick:
		what = "A quick check"
	}
	return what + " by " + show(j.By)
}

// percent is how far the check is.
func (j CheckJob) percent() string {
	if j.Total == 0 {
		return "0"
	}
	return number(j.Done * 100 / j.Total)
}
