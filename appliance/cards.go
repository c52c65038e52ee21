package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// cardsEvery is how often it is looked whether network cards do as they were told.
const cardsEvery = 10 * time.Second

// watchCards tells people why network cards' time stamps that they asked for cannot
// be had.
func (s *station) watchCards(ctx context.Context, problems func() []string) error {
	for ctx.Err() == nil {
		var text string
		if list := problems(); len(list) > 0 {
			text = fmt.Sprintf("There are %s. The kernel's serve.", strings.Join(list, "; and "))
		}
		s.notes.set("network cards' stamps", text)
		wait(ctx, cardsEvery)
	}
	return nil
}
