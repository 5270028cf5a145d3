/*
 * Java's ForkJoinPool, with the command line and the output of harness.h.
 * Jobs from outside go through execute() to a pool in async (FIFO) mode; the
 * tree is made of RecursiveActions that fork. Each round has a new pool, and
 * awaitTermination waits for its jobs. Workers count in a field of their own.
 */
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.StringJoiner;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinWorkerThread;
import java.util.concurrent.RecursiveAction;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

final class PoolForkJoin {
    static final int PRODUCERS = 4;
    static final int WARM_UP = 8;

    static final class Worker extends ForkJoinWorkerThread {
        long ran;

        Worker(ForkJoinPool pool) {
            super(pool);
        }
    }

    static void count() {
        ((Worker) Thread.currentThread()).ran++;
    }

    static final class Branch extends RecursiveAction {
        private final int levels;

        Branch(int levels) {
            this.levels = levels;
        }

        @Override
        protected void compute() {
            count();
            if (levels > 1) {
                new Branch(levels - 1).fork();
                new Branch(levels - 1).fork();
            }
        }
    }

    final String mode;
    final int workers;
    final int jobs;
    final List<Worker> threads = new ArrayList<>();
    ForkJoinPool pool;

    PoolForkJoin(String mode, int workers, int jobs) {
        this.mode = mode;
        this.workers = workers;
        this.jobs = jobs;
    }

    void start() {
        threads.clear();
        pool = new ForkJoinPool(workers, p -> {
            Worker worker = new Worker(p);
            synchronized (threads) {
                threads.add(worker);
            }
            return worker;
        }, null, !mode.equals("fork"));
    }

    void finish() throws Exception {
        pool.shutdown();
        if (!pool.awaitTermination(10, TimeUnit.MINUTES)) {
            throw new IllegalStateException("the pool does not end");
        }
    }

    long counted() throws Exception {
        long sum = 0;
        for (Worker worker : threads) {
            worker.join();
            sum += worker.ran;
        }
        return sum;
    }

    void submit(int number) {
        Runnable job = PoolForkJoin::count;
        for (int i = 0; i < number; i++) {
            pool.execute(job);
        }
    }

    void submitFromFour() throws Exception {
        CyclicBarrier ready = new CyclicBarrier(PRODUCERS + 1);
        Thread[] producers = new Thread[PRODUCERS];
        for (int i = 0; i < PRODUCERS; i++) {
            producers[i] = new Thread(() -> {
                try {
                    ready.await();
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
                submit(jobs / PRODUCERS);
            });
            producers[i].start();
        }
        ready.await();
        for (Thread producer : producers) {
            producer.join();
        }
    }

    /** Submits, and says how many jobs there will be. */
    long burst() throws Exception {
        switch (mode) {
        case "one":
            submit(jobs);
            return jobs;
        case "four":
            submitFromFour();
            return jobs / PRODUCERS * PRODUCERS;
        case "fork":
            int levels = 1;
            while ((1L << levels) - 1 < jobs) {
                levels++;
            }
            pool.execute(new Branch(levels));
            return (1L << levels) - 1;
        default:
            throw new IllegalArgumentException(mode);
        }
    }

    static double cpuSeconds() {
        return ((com.sun.management.OperatingSystemMXBean)
            ManagementFactory.getOperatingSystemMXBean())
            .getProcessCpuTime() * 1e-9;
    }

    void bursts(int rounds) throws Exception {
        double[] seconds = new double[rounds];
        double[] cpu = new double[rounds];
        long ran = 0;
        for (int round = -WARM_UP; round < rounds; round++) {
            start();
            double cpuBefore = cpuSeconds();
            long before = System.nanoTime();
            long submitted = burst();
            finish();
            long after = System.nanoTime();
            double cpuAfter = cpuSeconds();
            ran = counted();
            if (ran != submitted) {
                throw new IllegalStateException("not every job ran once");
            }
            if (round >= 0) {
                seconds[round] = (after - before) * 1e-9;
                cpu[round] = cpuAfter - cpuBefore;
            }
        }
        print("ran", ran);
        print("seconds", seconds);
        print("cpu", cpu);
    }

    /** The core is the one that the whole process is bound to. */
    void latency() throws Exception {
        double[] start = new double[jobs];
        double[] round = new double[jobs];
        long[] started = new long[1];
        Semaphore done = new Semaphore(0);
        start();
        for (int i = -jobs; i < jobs; i++) {
            Thread.sleep(1);
            long before = System.nanoTime();
            pool.execute(() -> {
                started[0] = System.nanoTime();
                done.release();
            });
            done.acquire();
            long after = System.nanoTime();
            if (i >= 0) {
                start[i] = started[0] - before;
                round[i] = after - before;
            }
        }
        finish();
        print("start_ns", start);
        print("round_ns", round);
    }

    /** Of the threads that live, in nanoseconds; cpuSeconds has 10 ms. */
    static long exactCpu() throws IOException {
        long sum = 0;
        try (DirectoryStream<Path> tasks =
                Files.newDirectoryStream(Path.of("/proc/self/task"))) {
            for (Path task : tasks) {
                String used = Files.readString(task.resolve("schedstat"));
                sum += Long.parseLong(used.split(" ")[0]);
            }
        }
        return sum;
    }

    void idle() throws Exception {
        start();
        submit(1);
        exactCpu();
        Thread.sleep(1000);
        long cpuBefore = exactCpu();
        long before = System.nanoTime();
        Thread.sleep(jobs);
        double cpu = (exactCpu() - cpuBefore) * 1e-9;
        print("seconds", (System.nanoTime() - before) * 1e-9);
        print("cpu", cpu);
        finish();
    }

    static void print(String name, double... values) {
        StringJoiner list = new StringJoiner(", ");
        Arrays.stream(values).forEach(v -> list.add(Double.toString(v)));
        System.out.print(", \"" + name + "\": [" + list + "]");
    }

    public static void main(String[] args) throws Exception {
        PoolForkJoin bench = new PoolForkJoin(
            args[0], Integer.parseInt(args[1]), Integer.parseInt(args[2]));
        System.out.print("{\"peer\": \"ForkJoinPool\", \"mode\": \"" + args[0]
            + "\", \"workers\": " + args[1]);
        if (args[0].equals("same")) {
            bench.latency();
        } else if (args[0].equals("idle")) {
            bench.idle();
        } else {
            bench.bursts(Integer.parseInt(args[3]));
        }
        System.out.println("}");
    }
}
