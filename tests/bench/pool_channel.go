// Go: workers that range over a buffered channel of jobs, and for the tree,
// which would block on such a channel, a goroutine for each job. With the
// command line and the output of harness.h.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	producers = 4
	buffered  = 1024
)

type job func(ran *int64)

type pool struct {
	queue chan job
	ended sync.WaitGroup
	ran   []int64
}

func start(workers int) *pool {
	p := &pool{queue: make(chan job, buffered), ran: make([]int64, workers)}
	p.ended.Add(workers)
	for i := 0; i < workers; i++ {
		go func(i int) {
			defer p.ended.Done()
			var ran int64
			for run := range p.queue {
				run(&ran)
			}
			p.ran[i] = ran
		}(i)
	}
	return p
}

func (p *pool) finish() (ran int64) {
	close(p.queue)
	p.ended.Wait()
	for _, n := range p.ran {
		ran += n
	}
	return ran
}

func count(ran *int64) { *ran++ }

func (p *pool) submit(number int) {
	for i := 0; i < number; i++ {
		p.queue <- count
	}
}

func one(workers, jobs int) (ran, submitted int64) {
	p := start(workers)
	p.submit(jobs)
	return p.finish(), int64(jobs)
}

func four(workers, jobs int) (ran, submitted int64) {
	p := start(workers)
	var all sync.WaitGroup
	all.Add(producers)
	for i := 0; i < producers; i++ {
		go func() {
			defer all.Done()
			p.submit(jobs / producers)
		}()
	}
	all.Wait()
	return p.finish(), int64(jobs / producers * producers)
}

// No count for each goroutine: Wait returns when as many ended as began.
func fork(workers, jobs int) (ran, submitted int64) {
	levels := 1
	for 1<<levels-1 < jobs {
		levels++
	}
	var all sync.WaitGroup
	var branch func(levels int)
	branch = func(levels int) {
		defer all.Done()
		if levels > 1 {
			all.Add(2)
			go branch(levels - 1)
			go branch(levels - 1)
		}
	}
	before := runtime.GOMAXPROCS(workers)
	all.Add(1)
	go branch(levels)
	all.Wait()
	runtime.GOMAXPROCS(before)
	return 1<<levels - 1, 1<<levels - 1
}

type cost struct{ seconds, cpu, switches float64 }

var began = time.Now()

func now() cost {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	cpu := u.Utime.Nano() + u.Stime.Nano()
	return cost{time.Since(began).Seconds(), float64(cpu) * 1e-9,
		float64(u.Nvcsw + u.Nivcsw)}
}

func fail(what string) {
	fmt.Fprintln(os.Stderr, "Go:", what)
	os.Exit(1)
}

func bursts(burst func(int, int) (int64, int64), workers, jobs, rounds int) {
	var seconds, cpu, switches []float64
	var ran, submitted int64
	for round := -1; round < rounds; round++ {
		before := now()
		ran, submitted = burst(workers, jobs)
		after := now()
		if ran != submitted {
			fail("not every job ran once")
		}
		if round >= 0 {
			seconds = append(seconds, after.seconds-before.seconds)
			cpu = append(cpu, after.cpu-before.cpu)
			switches = append(switches, after.switches-before.switches)
		}
	}
	list("ran", float64(ran))
	list("seconds", seconds...)
	list("cpu", cpu...)
	list("switches", switches...)
}

// The core is the one that the whole process is bound to.
func latency(workers, jobs int) {
	var startNs, roundNs []float64
	var started time.Time
	done := make(chan bool)
	p := start(workers)
	for i := -jobs/10 - 1; i < jobs; i++ {
		time.Sleep(time.Millisecond)
		before := time.Now()
		p.queue <- func(*int64) {
			started = time.Now()
			done <- true
		}
		<-done
		after := time.Now()
		if i >= 0 {
			startNs = append(startNs, float64(started.Sub(before)))
			roundNs = append(roundNs, float64(after.Sub(before)))
		}
	}
	p.finish()
	list("start_ns", startNs...)
	list("round_ns", roundNs...)
}

func idle(workers, ms int) {
	p := start(workers)
	p.submit(1)
	time.Sleep(200 * time.Millisecond)
	before := now()
	time.Sleep(time.Duration(ms) * time.Millisecond)
	after := now()
	p.finish()
	list("seconds", after.seconds-before.seconds)
	list("cpu", after.cpu-before.cpu)
	list("switches", after.switches-before.switches)
}

func list(name string, values ...float64) {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = strconv.FormatFloat(value, 'g', -1, 64)
	}
	fmt.Printf(", %q: [%s]", name, strings.Join(texts, ", "))
}

func main() {
	if len(os.Args) != 5 {
		fail("wants MODE WORKERS JOBS ROUNDS")
	}
	mode := os.Args[1]
	var numbers [3]int
	for i := range numbers {
		numbers[i], _ = strconv.Atoi(os.Args[i+2])
	}
	workers, jobs, rounds := numbers[0], numbers[1], numbers[2]
	fmt.Printf("{\"peer\": \"Go\", \"mode\": %q, \"workers\": %d", mode, workers)
	switch mode {
	case "one":
		bursts(one, workers, jobs, rounds)
	case "four":
		bursts(four, workers, jobs, rounds)
	case "fork":
		bursts(fork, workers, jobs, rounds)
	case "same":
		latency(workers, jobs)
	case "idle":
		idle(workers, jobs)
	default:
		fail("knows no such mode")
	}
	fmt.Println("}")
}
