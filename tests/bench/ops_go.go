// Go's context, whose Value looks along a list: one line of JSON, each key as
// ops.h names operations. A set is a new context, so there is no reset, and
// no snapshot.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"
)

type key int

var sizes = []int{1, 8, 32, 256, 2048, 10000}

// Kept where the compiler cannot see that nobody looks.
var (
	gotten any
	made   context.Context
)

func chain(size int) context.Context {
	ctx := context.Background()
	for i := 0; i < size; i++ {
		ctx = context.WithValue(ctx, key(i), 7)
	}
	return ctx
}

// The variable in the middle, as in ops.h.
func get(b *testing.B, ctx context.Context, size int) {
	for i := 0; i < b.N; i++ {
		gotten = ctx.Value(key(size / 2))
	}
}

func set(b *testing.B, ctx context.Context, size int) {
	for i := 0; i < b.N; i++ {
		made = context.WithValue(ctx, key(size/2), 7)
	}
}

func nanoseconds(r testing.BenchmarkResult) float64 {
	return float64(r.T.Nanoseconds()) / float64(r.N)
}

func bytesOfVariable() float64 {
	const size = 10000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	made = chain(size)
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc-before.TotalAlloc) / size
}

func main() {
	testing.Init()
	flag.Set("test.benchtime", os.Args[1])
	results := map[string]float64{"bytes_variable/Go": bytesOfVariable()}
	for _, size := range sizes {
		ctx := chain(size)
		results[fmt.Sprintf("get/Go/%d", size)] = nanoseconds(
			testing.Benchmark(func(b *testing.B) { get(b, ctx, size) }))
		results[fmt.Sprintf("owned/Go/%d", size)] = nanoseconds(
			testing.Benchmark(func(b *testing.B) { set(b, ctx, size) }))
	}
	json.NewEncoder(os.Stdout).Encode(results)
}
