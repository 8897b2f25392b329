using System.Collections.Generic;
using System.Linq;

namespace PyDebug.Internal;

/// <summary>
/// Puts tasks in the order of a tree: under each task those that it waits for, what runs before what waits. A task that
/// several wait for stands under the first of them; cycles are cut.
/// </summary>
internal static class TaskTree
{
    private const int DeepestShown = 12;

    private const int Waiting = 2;

    /// <summary>The tasks, each exactly once, with its place in the tree.</summary>
    public static IReadOnlyList<PyTask> Arrange(IReadOnlyList<PyTask> tasks, double? heldMicroseconds)
    {
        Dictionary<string, int> byId = [];
        for (int i = 0; i < tasks.Count; i++)
        {
            byId.TryAdd(tasks[i].Id, i);
        }

        List<int>[] children = [.. tasks.Select(t => Indices(t.WaitsFor, byId))];
        int[] rank = Ranks(tasks, children);
        foreach (List<int> under in children.Where(c => c.Count > 1))
        {
            Sort(under, rank);
        }

        bool[] isChild = new bool[tasks.Count];
        foreach (int child in children.SelectMany(c => c))
        {
            isChild[child] = true;
        }

        bool[] placed = new bool[tasks.Count];
        List<PyTask> ordered = new(tasks.Count);
        Stack<(int Task, int Depth, string Lines, string Branch)> open = new();

        // Roots first; whatever is left then is in a cycle and starts a tree of its own.
        List<int> roots = [.. Enumerable.Range(0, tasks.Count).Where(i => !isChild[i])];
        Sort(roots, rank);
        foreach (int root in roots.Concat(Enumerable.Range(0, tasks.Count)))
        {
            open.Push((root, 0, "", ""));
            while (open.TryPop(out (int Task, int Depth, string Lines, string Branch) next))
            {
                if (placed[next.Task])
                {
                    continue;
                }

                placed[next.Task] = true;
                TaskPlace place = new(next.Lines + next.Branch, heldMicroseconds);
                ordered.Add(tasks[next.Task] with { Place = place });
                string lines = next.Depth >= DeepestShown ? next.Lines : next.Lines + Continue(next.Branch);
                List<int> under = [.. children[next.Task].Where(c => !placed[c])];
                for (int i = under.Count - 1; i >= 0; i--)
                {
                    open.Push((under[i], next.Depth + 1, lines, i == under.Count - 1 ? "└ " : "├ "));
                }
            }
        }

        return ordered;
    }

    /// <summary>How near a task is to one that runs: the least rank of itself and those that it waits for.</summary>
    private static int[] Ranks(IReadOnlyList<PyTask> tasks, List<int>[] children)
    {
        int[] rank = [.. tasks.Select(t => Rank(t.State))];
        List<int>?[] parents = new List<int>?[tasks.Count];
        for (int i = 0; i < tasks.Count; i++)
        {
            foreach (int child in children[i])
            {
                (parents[child] ??= []).Add(i);
            }
        }

        foreach (
            int task in Enumerable.Range(0, tasks.Count).Where(i => rank[i] < Waiting).OrderBy(i => rank[i]).ToList())
        {
            Stack<int> open = new([task]);
            while (open.TryPop(out int next))
            {
                foreach (int parent in (parents[next] ?? []).Where(p => rank[p] > rank[task]))
                {
                    rank[parent] = rank[task];
                    open.Push(parent);
                }
            }
        }

        return rank;
    }

    private static int Rank(string state) => state switch
    {
        "running" => 0,
        "ready" => 1,
        _ => Waiting,
    };

    private static void Sort(List<int> numbers, int[] rank)
    {
        List<int> sorted = [.. numbers.OrderBy(i => rank[i])];
        numbers.Clear();
        numbers.AddRange(sorted);
    }

    private static string Continue(string branch) => branch switch
    {
        "" => "",
        "└ " => "  ",
        _ => "│ ",
    };

    private static List<int> Indices(IReadOnlyList<string> ids, Dictionary<string, int> byId)
    {
        List<int> indices = [];
        foreach (string id in ids)
        {
            if (byId.TryGetValue(id, out int index))
            {
                indices.Add(index);
            }
        }

        return indices;
    }
}
