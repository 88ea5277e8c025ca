package verify

import (
	"context"
	"iter"
	"sync"
)

// ahead is how many files for each worker may be done before the one that is handed on next.
const ahead = 8

// inOrder works on items, that many at once, and hands on what comes of them in their own order. The first
// error ends it.
func inOrder[T, R any](ctx context.Context, workers int, items iter.Seq2[T, error], work func(context.Context, T) (R, error), hand func(R) error) (err error) {
	type outcome struct {
		result R
		err    error
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	busy := make(chan struct{}, workers)
	line := make(chan chan outcome, workers*ahead)
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		defer close(line)
		for item, err := range items {
			out := make(chan outcome, 1)
			select {
			case line <- out:
			case <-ctx.Done():
				return
			}
			if err != nil {
				out <- outcome{err: err}
				return
			}
			busy <- struct{}{}
			all.Go(func() {
				defer func() { <-busy }()
				result, err := work(ctx, item)
				out <- outcome{result, err}
			})
		}
	})
	for out := range line {
		o := <-out
		if err == nil {
			err = o.err
		}
		if err == nil {
			err = hand(o.result)
		}
		if err != nil {
			stop(err)
		}
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	return err
}

// eachOf are items of which none is missing.
func eachOf[T any](items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}
