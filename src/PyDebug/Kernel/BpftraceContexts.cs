using System;
using System.Linq;
using System.Management.Automation;

namespace PyDebug.Tools.Bpftrace;

/// <summary>The kernel's tracepoints in which the current thread is not the one that the event is about.</summary>
internal static class BpftraceContexts
{
    private const string Interrupt = "it fires in interrupts, in whichever thread they hit";

    private const string Other = "it fires in one thread and is about another";

    private const string Worker = "it fires in the kernel's own threads and in interrupts";

    private static readonly string[] s_interruptSystems =
    [
        "irq", "irq_vectors", "irq_matrix", "timer", "timer_migration", "napi", "ipi", "csd", "nmi", "rcu", "xdp",
        "skb",
    ];

    private static readonly string[] s_workerSystems =
    [
        "workqueue", "writeback", "block", "net", "tcp", "scsi", "nvme", "wbt", "jbd2", "kyber", "cpuhp", "power",
        "bdi",
    ];

    private static readonly string[] s_otherNames =
    [
        "sched_wakeup", "sched_wakeup_new", "sched_waking", "sched_migrate_task", "sched_move_numa", "sched_swap_numa",
        "sched_stick_numa", "sched_process_free", "sched_stat_wait", "sched_stat_sleep", "sched_stat_blocked",
        "sched_stat_iowait", "sched_wake_idle_without_ipi", "sched_pi_setprio", "signal_generate",
    ];

    private static readonly string[] s_interruptNames =
    [
        "inet_sock_set_state", "sk_data_ready", "inet_sk_error_report", "irq_handler_entry", "irq_handler_exit",
        "softirq_entry", "softirq_exit", "softirq_raise", "timer_start", "timer_expire_entry", "timer_expire_exit",
        "hrtimer_start", "hrtimer_expire_entry", "hrtimer_expire_exit", "napi_poll", "netif_receive_skb", "netif_rx",
        "block_rq_complete", "block_rq_issue", "block_bio_complete", "tcp_probe", "tcp_retransmit_skb",
    ];

    /// <summary>Why; null where the current thread is the one that the event is about.</summary>
    /// <param name="system">The tracepoint's system, which may have wildcards; null where it is not named.</param>
    /// <param name="name">The tracepoint's name, which may have wildcards.</param>
    public static string? WhyForeign(string? system, string name)
    {
        if (system is not null && Any(s_interruptSystems, system))
        {
            return Interrupt;
        }

        if (system is not null && Any(s_workerSystems, system))
        {
            return Worker;
        }

        bool elsewhere = system is not null && !Any(["sched", "signal", "sock"], system);
        return elsewhere ? null : Any(s_otherNames, name) ? Other : Any(s_interruptNames, name) ? Interrupt : null;
    }

    private static bool Any(string[] names, string pattern)
    {
        WildcardPattern wildcard = new(pattern.Replace("[", "`[", StringComparison.Ordinal), WildcardOptions.None);
        return names.Any(wildcard.IsMatch);
    }
}
