package main

import (
	"fmt"
	"time"

	"github.com/truechimer/truechimer/image/publish"
)

// rollout stages which share of the stations takes a release when.
func (c *publishing) rollout(args []string) error {
	board, channel := c.target()
	start := c.flags.String("start", "", "when the first step begins, like 2026-12-01T08:00:00Z; now, for a rollout that begins")
	schedule := c.flags.String("schedule", "", `the steps, such as "1%@0h,10%@24h,50%@48h,100%@96h", which is what a rollout begins with; or "all" for all stations at once`)
	var change publish.RolloutChange
	c.flags.BoolVar(&change.Pause, "pause", false, "hold the release back: no station takes it")
	c.flags.BoolVar(&change.Resume, "resume", false, "go on where it was held back")
	if err := c.parse(args); err != nil {
		return err
	}
	var err error
	if *start != "" {
		if change.Start, err = time.Parse(time.RFC3339, *start); err != nil {
			return fmt.Errorf("-start: %w; write it like 2026-12-01T08:00:00Z", err)
		}
	}
	switch *schedule {
	case "":
	case "all":
		change.All = true
	default:
		if change.Steps, err = publish.ParseSteps(*schedule); err != nil {
			return fmt.Errorf("-schedule: %w", err)
		}
	}
	if _, err := c.repository.Rollout(*board, *channel, change); err != nil {
		return err
	}
	lines, err := c.repository.Review(publish.RoleTargets)
	for _, line := range lines {
		fmt.Println(line)
	}
	return err
}
