package db

import (
	"runtime"

	"sluice/internal/conda/repodata"
)

// encoders are those of all transactions. A transaction has one connection, so its statements stand in a line; what it
// compresses is made beside them and beside one another, on the cores that there are. An entry that is nil was not
// needed so far.
type encoders chan *repodata.Encoder

// mostEncoders bounds what they take, which is about 2 MB each.
const mostEncoders = 16

func newEncoders() encoders {
	e := make(encoders, min(runtime.GOMAXPROCS(0), mostEncoders))
	for range cap(e) {
		e <- nil
	}
	return e
}

// use lends one to f, once one is free.
func (e encoders) use(f func(*repodata.Encoder)) {
	one := <-e
	if one == nil {
		one = repodata.NewEncoder()
	}
	defer func() { e <- one }()
	f(one)
}

// start begins f in a goroutine, and returns where its result will come, once. It may be left there.
func (e encoders) start(f func(*repodata.Encoder) []byte) <-chan []byte {
	made := make(chan []byte, 1)
	go e.use(func(one *repodata.Encoder) { made <- f(one) })
	return made
}
