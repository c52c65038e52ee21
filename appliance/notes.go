package main

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// After one line of the log on a topic the next one has to wait, the longer the
// more there were: what fails every few seconds must not push all else out of
// a log that keeps a hundred lines.
const (
	sayAgain     = time.Minute
	sayAgainMost = time.Hour
)

// notes are what people should know, by topic: a new note on a topic replaces
// the old one, an empty one ends it. What changes is logged.
type notes struct {
	log *slog.Logger

	mu      sync.Mutex
	first   []string
	byTopic map[string]string
	logged  map[string]logged
}

// logged is the last that the log was told on a topic.
type logged struct {
	text string // empty: that it is over
	at   time.Time
	wait time.Duration
}

func newNotes(first []string, log *slog.Logger) *notes {
	return &notes{log: log, first: first, byTopic: map[string]string{}, logged: map[string]logged{}}
}

// set tells people of something, on the page and in the log.
func (n *notes) set(topic, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if text == "" {
		delete(n.byTopic, topic)
	} else {
		n.byTopic[topic] = text
	}
	n.mention(slog.LevelWarn, topic, text)
}

// say tells the log alone, once for as long as the text stays the same; an
// empty one says that it is over. Its topics are not those of set.
func (n *notes) say(level slog.Level, topic, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mention(level, topic, text)
}

func (n *notes) mention(level slog.Level, topic, text string) {
	last, now := n.logged[topic], time.Now()
	switch {
	case text == last.text:
	case text == "":
		n.log.Info("over: "+last.text, "about", topic)
		last.text = ""
		n.logged[topic] = last
	case now.Sub(last.at) >= last.wait:
		wait := min(max(2*last.wait, sayAgain), sayAgainMost)
		if now.Sub(last.at) >= last.wait+sayAgainMost {
			wait = sayAgain // all was well for long
		}
		n.logged[topic] = logged{text, now, wait}
		n.log.Log(context.Background(), level, text, "about", topic)
	}
}

// list is what there is to show: what was known at the start, then by topic.
func (n *notes) list() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := append([]string{}, n.first...)
	var topics []string
	for t := range n.byTopic {
		topics = append(topics, t)
	}
	slices.Sort(topics)
	for _, t := range topics {
		out = append(out, n.byTopic[t])
	}
	return out
}
