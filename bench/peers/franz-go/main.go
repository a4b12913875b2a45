// A peer for Mallard's bench: a plain load loop over franz-go, the fastest Kafka client written in Go.
//
// It does as little as such a loop can, so that what is measured is the client: every record has the same
// value, records come from a pool, and acknowledgements are only counted. It ends after a given number of
// records and prints what it did as one line of JSON. It also does what the bench asks of the broker in between.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What was asked for.
type order struct {
	broker, topic, group string
	authority            string
	user, password       string
	do                   string
	partitions           int
	keep                 bool
	records              int64
	valueBytes           int
	maxBuffered          int
	linger               time.Duration
	rate                 float64
	warmUp               time.Duration
	clientID             string
	bytesPerSecond       float64
}

// What was done, as it is printed.
type outcome struct {
	Records  int64        `json:"records"`
	Bytes    int64        `json:"bytes"`
	Seconds  float64      `json:"seconds"`
	Failed   int64        `json:"failed"`
	Response *percentiles `json:"response_us,omitempty"`
	Service  *percentiles `json:"service_us,omitempty"`
}

func main() {
	var o order
	flag.StringVar(&o.broker, "broker", "", "address of a broker")
	flag.StringVar(&o.authority, "authority", "", "file of the authority that signed the broker's certificate; with it, TLS")
	flag.StringVar(&o.user, "user", "", "who logs in, by SCRAM-SHA-512")
	flag.StringVar(&o.password, "password", "", "the password")
	flag.StringVar(&o.topic, "topic", "", "topic")
	flag.StringVar(&o.group, "group", "", "consumer group; without it all partitions are read directly")
	flag.StringVar(&o.do, "do", "produce", "produce, paced, consume, or of a topic: create, remove, written; of a client: hold-back")
	flag.IntVar(&o.partitions, "partitions", 0, "partitions of a topic")
	flag.BoolVar(&o.keep, "keep", false, "create a topic that keeps all of its records")
	flag.Int64Var(&o.records, "records", 0, "records after which to end")
	flag.IntVar(&o.valueBytes, "value-bytes", 100, "bytes of each value")
	flag.IntVar(&o.maxBuffered, "max-buffered", 1_000_000, "records that may wait in the client")
	flag.DurationVar(&o.linger, "linger", 5*time.Millisecond, "how long a batch waits for more records")
	flag.Float64Var(&o.rate, "rate", 0, "records a second, where it is paced")
	flag.DurationVar(&o.warmUp, "warm-up", 0, "what is not measured at the beginning, where it is paced")
	flag.StringVar(&o.clientID, "client-id", "", "client whose consumers are held back")
	flag.Float64Var(&o.bytesPerSecond, "bytes-per-second", 0, "what they may fetch; without it as much as they like")
	flag.Parse()

	works := map[string]func(context.Context, order) (outcome, error){
		"produce": produce, "paced": paced, "consume": consume, "create": asking(create), "remove": asking(remove), "written": asking(written),
		"hold-back": asking(holdBack),
	}
	work := works[o.do]
	if work == nil {
		fmt.Fprintln(os.Stderr, "nothing to do by the name", o.do)
		os.Exit(2)
	}
	done, err := work(context.Background(), o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "failed:", err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(done); err != nil {
		os.Exit(1)
	}
}

func produce(ctx context.Context, o order) (outcome, error) {
	client, err := o.client(
		kgo.DefaultProduceTopic(o.topic),
		// acks=1, which the other tools use too, rules idempotence out; in exchange several requests may
		// be under way at once.
		kgo.RequiredAcks(kgo.LeaderAck()),
		kgo.DisableIdempotentWrite(),
		kgo.MaxProduceRequestsInflightPerBroker(5),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(1_000_000),
		kgo.ProducerLinger(o.linger),
		kgo.MaxBufferedRecords(o.maxBuffered),
	)
	if err != nil {
		return outcome{}, err
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return outcome{}, err
	}

	value := make([]byte, o.valueBytes)
	pool := sync.Pool{New: func() any { return new(kgo.Record) }}
	var done outcome
	// The client calls this from one place at a time.
	acknowledged := func(record *kgo.Record, err error) {
		if err != nil {
			done.Failed++
		} else {
			done.Records++
			done.Bytes += int64(o.valueBytes)
		}
		*record = kgo.Record{}
		pool.Put(record)
	}
	start := time.Now()
	for range o.records {
		record := pool.Get().(*kgo.Record)
		record.Value = value
		client.Produce(ctx, record, acknowledged)
	}
	if err := client.Flush(ctx); err != nil {
		return outcome{}, err
	}
	done.Seconds = time.Since(start).Seconds()
	return done, nil
}

func consume(ctx context.Context, o order) (outcome, error) {
	options := []kgo.Opt{
		kgo.ConsumeTopics(o.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.MaxConcurrentFetches(3),
	}
	if o.group != "" {
		options = append(options, kgo.ConsumerGroup(o.group))
	}
	client, err := o.client(options...)
	if err != nil {
		return outcome{}, err
	}
	defer client.Close()

	var done outcome
	var start time.Time
	for done.Records < o.records {
		fetches := client.PollFetches(ctx)
		if errs := fetches.Errors(); len(errs) > 0 {
			return outcome{}, errs[0].Err
		}
		// As in the other tools, time runs from the first record, not from joining the group.
		if start.IsZero() {
			start = time.Now()
		}
		fetches.EachRecord(func(record *kgo.Record) {
			done.Records++
			done.Bytes += int64(len(record.Value))
		})
	}
	done.Seconds = time.Since(start).Seconds()
	return done, nil
}
