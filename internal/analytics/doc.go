package analytics
