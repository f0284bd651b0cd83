// Package metric is the one table of what a server measures, under ZooKeeper's
// names, so that the dashboards and alerts that people have go on working.
//
// A [Table] belongs to one server. Its fields are the instruments: counters and
// summaries, which whoever measures something adds to, at the price of an atomic
// addition or two, from any goroutine and without a lock. What is a state and not an event,
// a gauge, is not kept here: a source (Table.Source) tells it when somebody asks.
//
// Everything that operators see is made of [Table.Gather]: the four-letter word
// mntr and the admin command monitor, which spell a summary out as lines
// (Reading.Lines), and the exposition for Prometheus. So they cannot disagree.
//
// It is a package of its own, below package server, because three worlds record
// here: the server, the quorum beneath it (package meter) and the admin server.
// It knows none of them, no clock and no exporter, so who embeds package server
// does not get one.
//
// # Summaries
//
// ZooKeeper's summaries are of two levels: basic ones have average, minimum,
// maximum, count and sum, advanced ones quantiles too. Ours all keep a histogram
// with sixteen steps for each power of two: a quantile is at most 3 % off,
// whereas ZooKeeper's are drawn from a sample. Times are recorded in microseconds
// and shown in milliseconds: rounded where ZooKeeper's are integers, with their
// fractions where it shows a double.
//
// # Names that are not here
//
// What has no meaning in this implementation is not shown at all: a zero that is
// no measurement is a lie. docs/operating.md lists those names with a reason
// each. A few that alerts are commonly built on are shown with a constant 0,
// where 0 is the truth.
package metric
