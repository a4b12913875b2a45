package main

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Percentiles of a latency in microseconds.
type percentiles struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func percentilesOf(latencies []time.Duration) *percentiles {
	sorted := slices.Sorted(slices.Values(latencies))
	at := func(percent int) float64 {
		place := min(len(sorted)*percent/100, len(sorted)-1)
		return float64(sorted[place].Nanoseconds()) / 1e3
	}
	return &percentiles{P50: at(50), P90: at(90), P99: at(99), Max: at(100)}
}

// Produces at a rate with the client's defaults but for lingering and compression, and measures from when a record was
// due and from when it was handed to the client to its acknowledgement. What is due in the warm-up is not measured.
func paced(ctx context.Context, o order) (outcome, error) {
	client, err := o.client(
		kgo.DefaultProduceTopic(o.topic),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(o.linger),
	)
	if err != nil {
		return outcome{}, err
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return outcome{}, err
	}

	value := make([]byte, o.valueBytes)
	response := make([]time.Duration, o.records)
	service := make([]time.Duration, o.records)
	var failed atomic.Int64
	start := time.Now()
	for i := range o.records {
		due := start.Add(time.Duration(float64(i) / o.rate * float64(time.Second)))
		time.Sleep(time.Until(due))
		sent := time.Now()
		client.Produce(ctx, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
			now := time.Now()
			response[i], service[i] = now.Sub(due), now.Sub(sent)
			if err != nil {
				failed.Add(1)
			}
		})
	}
	if err := client.Flush(ctx); err != nil {
		return outcome{}, err
	}
	first := int64(o.warmUp.Seconds() * o.rate)
	return outcome{
		Records:  o.records,
		Bytes:    o.records * int64(o.valueBytes),
		Seconds:  time.Since(start).Seconds(),
		Failed:   failed.Load(),
		Response: percentilesOf(response[first:]),
		Service:  percentilesOf(service[first:]),
	}, nil
}
