package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Lets somebody ask a broker something, over a connection that is closed again.
func asking(ask func(context.Context, *kgo.Client, order) (outcome, error)) func(context.Context, order) (outcome, error) {
	return func(ctx context.Context, o order) (outcome, error) {
		client, err := o.client()
		if err != nil {
			return outcome{}, err
		}
		defer client.Close()
		return ask(ctx, client, o)
	}
}

// What a broker's answer says of one of the things that it was asked about, if it refused.
func refusal(code int16, about string) error {
	if err := kerr.ErrorForCode(code); err != nil {
		return fmt.Errorf("%s: %w", about, err)
	}
	return nil
}

// What the bench asks of the broker between two measurements. Kafka's own tools do the same, and take a JVM's start
// for each question.

func create(ctx context.Context, client *kgo.Client, o order) (outcome, error) {
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = o.topic, int32(o.partitions), 1
	if o.keep {
		config := kmsg.NewCreateTopicsRequestTopicConfig()
		config.Name, config.Value = "retention.bytes", kmsg.StringPtr("-1")
		topic.Configs = append(topic.Configs, config)
	}
	request := kmsg.NewPtrCreateTopicsRequest()
	request.TimeoutMillis = 30_000
	request.Topics = append(request.Topics, topic)
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return outcome{}, err
	}
	for _, topic := range answer.Topics {
		if err := refusal(topic.ErrorCode, "topic "+topic.Topic); err != nil {
			return outcome{}, err
		}
	}
	return outcome{}, nil
}

func remove(ctx context.Context, client *kgo.Client, o order) (outcome, error) {
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = kmsg.StringPtr(o.topic)
	request := kmsg.NewPtrDeleteTopicsRequest()
	request.TimeoutMillis = 30_000
	request.Topics = append(request.Topics, topic)
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return outcome{}, err
	}
	for _, topic := range answer.Topics {
		if err := refusal(topic.ErrorCode, "topic "+o.topic); err != nil {
			return outcome{}, err
		}
	}
	return outcome{}, nil
}

// Sums the end offsets of a topic: as many records were ever written to it.
func written(ctx context.Context, client *kgo.Client, o order) (outcome, error) {
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = o.topic
	for partition := range o.partitions {
		one := kmsg.NewListOffsetsRequestTopicPartition()
		one.Partition, one.Timestamp = int32(partition), -1
		topic.Partitions = append(topic.Partitions, one)
	}
	request := kmsg.NewPtrListOffsetsRequest()
	request.ReplicaID = -1
	request.Topics = append(request.Topics, topic)
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return outcome{}, err
	}
	var done outcome
	for _, topic := range answer.Topics {
		for _, partition := range topic.Partitions {
			if err := refusal(partition.ErrorCode, fmt.Sprintf("%s/%d", topic.Topic, partition.Partition)); err != nil {
				return outcome{}, err
			}
			done.Records += partition.Offset
		}
	}
	return done, nil
}

// Sets or removes the quota of a client's consumers.
func holdBack(ctx context.Context, client *kgo.Client, o order) (outcome, error) {
	entity := kmsg.NewAlterClientQuotasRequestEntryEntity()
	entity.Type, entity.Name = "client-id", kmsg.StringPtr(o.clientID)
	quota := kmsg.NewAlterClientQuotasRequestEntryOp()
	quota.Key, quota.Value, quota.Remove = "consumer_byte_rate", o.bytesPerSecond, o.bytesPerSecond == 0
	entry := kmsg.NewAlterClientQuotasRequestEntry()
	entry.Entity, entry.Ops = append(entry.Entity, entity), append(entry.Ops, quota)
	request := kmsg.NewPtrAlterClientQuotasRequest()
	request.Entries = append(request.Entries, entry)
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return outcome{}, err
	}
	for _, entry := range answer.Entries {
		if err := refusal(entry.ErrorCode, "client "+o.clientID); err != nil {
			return outcome{}, err
		}
	}
	return outcome{}, nil
}
