using System.Collections.Generic;

namespace PyDebug.Internal;

/// <summary>What is known of one task's links, by identity: futures and tasks alike.</summary>
/// <param name="Future">What the task waits for; null where it waits for nothing.</param>
/// <param name="Reached">What leads on from the task's end: tasks that wait for it, and futures that tasks wait
/// for.</param>
/// <param name="Children">What a future that gathers others waits for, where the task waits for such a one.</param>
internal sealed record TaskLinks(string? Future, IReadOnlyList<string> Reached, IReadOnlyList<string> Children)
{
    /// <summary>The tasks with who waits for whom: by await, gather, wait, a task group.</summary>
    public static List<PyTask> Connect(IReadOnlyList<PyTask> tasks, IReadOnlyList<TaskLinks> links)
    {
        Dictionary<string, int> byId = [];
        Dictionary<string, List<int>> byFuture = [];
        for (int i = 0; i < tasks.Count; i++)
        {
            byId.TryAdd(tasks[i].Id, i);
            if (links[i].Future is string future)
            {
                Add(byFuture, future, i);
            }
        }

        SortedSet<int>?[] waiters = new SortedSet<int>?[tasks.Count];
        SortedSet<int>?[] waitsFor = new SortedSet<int>?[tasks.Count];
        for (int i = 0; i < tasks.Count; i++)
        {
            ConnectAll(i, byFuture.GetValueOrDefault(tasks[i].Id));
            foreach (string target in links[i].Reached)
            {
                if (byId.TryGetValue(target, out int waiter))
                {
                    ConnectOne(i, waiter);
                }

                ConnectAll(i, byFuture.GetValueOrDefault(target));
            }

            foreach (string child in links[i].Children)
            {
                if (byId.TryGetValue(child, out int number))
                {
                    ConnectOne(number, i);
                }
            }
        }

        List<PyTask> connected = new(tasks.Count);
        for (int i = 0; i < tasks.Count; i++)
        {
            connected.Add(waiters[i] is null && waitsFor[i] is null
                ? tasks[i]
                : tasks[i] with { Waiters = Ids(waiters[i]), WaitsFor = Ids(waitsFor[i]) });
        }

        return connected;

        void ConnectAll(int task, List<int>? those)
        {
            foreach (int waiter in those ?? [])
            {
                ConnectOne(task, waiter);
            }
        }

        void ConnectOne(int task, int waiter)
        {
            if (task != waiter)
            {
                (waiters[task] ??= []).Add(waiter);
                (waitsFor[waiter] ??= []).Add(task);
            }
        }

        IReadOnlyList<string> Ids(SortedSet<int>? numbers)
        {
            List<string> ids = [];
            foreach (int number in numbers ?? [])
            {
                ids.Add(tasks[number].Id);
            }

            return ids;
        }
    }

    private static void Add(Dictionary<string, List<int>> lists, string key, int value)
    {
        if (!lists.TryGetValue(key, out List<int>? list))
        {
            lists[key] = list = [];
        }

        list.Add(value);
    }
}
