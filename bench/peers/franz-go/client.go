package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// A client by the way that was asked for: with TLS where an authority is named, with a login where a user is.
func (o order) client(options ...kgo.Opt) (*kgo.Client, error) {
	options = append(options, kgo.SeedBrokers(o.broker))
	if o.authority != "" {
		pem, err := os.ReadFile(o.authority)
		if err != nil {
			return nil, err
		}
		authorities := x509.NewCertPool()
		if !authorities.AppendCertsFromPEM(pem) {
			return nil, errors.New(o.authority + " holds no certificate")
		}
		options = append(options, kgo.DialTLSConfig(&tls.Config{RootCAs: authorities}))
	}
	if o.user != "" {
		login := scram.Auth{User: o.user, Pass: o.password}
		options = append(options, kgo.SASL(login.AsSha512Mechanism()))
	}
	return kgo.NewClient(options...)
}
