using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Text.RegularExpressions;
using PyDebug.Internal;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>One name for one thing in all records, and rows of many pods can be told apart.</summary>
public sealed partial class RecordTests
{
    private static readonly string[] s_identity =
        [nameof(PyProcess.Namespace), nameof(PyProcess.PodName), nameof(PyProcess.ContainerName)];

    /// <summary>What the tool's word means something else for, record by record.</summary>
    private static readonly string[] s_several =
    [
        nameof(BpftraceMap.Value), nameof(StackProfile.Threads), nameof(PyTask.WaitsFor),
    ];

    private static IEnumerable<Type> Records => typeof(PyProcess).Assembly.GetExportedTypes()
        .Where(t => t.IsSealed && t.GetMethod("<Clone>$") is not null);

    [Fact]
    public void Who_names_a_process_names_its_pod_and_container_first()
    {
        Assert.True(Records.Count() > 25);
        // A thread of a profile is never without its profile, which says the pod.
        foreach (Type record in Records.Where(r => r != typeof(ProfileThread)))
        {
            string[] names = [.. record.GetProperties().Select(p => p.Name)];
            if (names.Intersect([.. s_identity, nameof(PyProcess.ProcessId), nameof(PyProcess.NodeName)]).Any())
            {
                Assert.Equal([record.Name, .. s_identity], [record.Name, .. names.Take(s_identity.Length)]);
            }

            int process = Array.IndexOf(names, nameof(PyProcess.ProcessId));
            Assert.True(process <= 6, $"{record.Name}: {process} properties stand before its process");
        }
    }

    [Fact]
    public void A_name_has_one_type_in_all_records()
    {
        string[] mixed =
        [
            .. Records
                .SelectMany(r => r.GetProperties().Select(p => (Record: r.Name, p.Name, Type: Bare(p.PropertyType))))
                .GroupBy(p => p.Name)
                .Where(g => g.Select(p => p.Type).Distinct().Count() > 1 && !s_several.Contains(g.Key))
                .Select(g => $"{g.Key}: {string.Join(", ", g.Select(p => $"{p.Type.Name} of {p.Record}"))}"),
        ];
        Assert.Empty(mixed);
    }

    [Fact]
    public void An_amount_says_its_unit_and_a_thing_has_no_second_name()
    {
        IEnumerable<(string Record, PropertyInfo Property)> all =
            Records.SelectMany(r => r.GetProperties().Select(p => (r.Name, p)));
        Assert.Empty(all.Where(p => Synonym().IsMatch(p.Property.Name)).Select(Named));
        Assert.Empty(all
            .Where(p => Bare(p.Property.PropertyType) == typeof(double) && OfTime().IsMatch(p.Property.Name))
            .Where(p => !p.Property.Name.EndsWith("Seconds", StringComparison.OrdinalIgnoreCase))
            .Select(Named));
        Assert.Empty(all
            .Where(p => Bare(p.Property.PropertyType) == typeof(DateTime))
            .Where(p => p.Property.Name.EndsWith("Seconds", StringComparison.Ordinal))
            .Select(Named));

        static string Named((string Record, PropertyInfo Property) p) => $"{p.Record}.{p.Property.Name}";
    }

    /// <summary>Holds that each row of a report says which pod and process it is of, and that there are rows.</summary>
    internal static void AssertRowsSayWhereTheyAreFrom(object report)
    {
        string[] names = [.. s_identity, nameof(PyProcess.ProcessId)];
        List<object> rows =
        [
            .. report.GetType().GetProperties()
                .Where(p => p.PropertyType.IsGenericType
                    && p.PropertyType.GetGenericArguments()[0].GetProperty(nameof(PyProcess.ProcessId)) is not null)
                .SelectMany(p => ((System.Collections.IEnumerable)p.GetValue(report)!).Cast<object>()),
        ];
        Assert.NotEmpty(rows);
        Assert.All(rows, row => Assert.Equal(Of(report), Of(row)));

        IEnumerable<object?> Of(object record) => names.Select(n => record.GetType().GetProperty(n)!.GetValue(record));
    }

    /// <summary>A count of few is a count as any other.</summary>
    private static Type Bare(Type type)
    {
        Type bare = Nullable.GetUnderlyingType(type) ?? type;
        return bare == typeof(int) ? typeof(long) : bare;
    }

    /// <summary>Words that another one stands for: ResidentBytes, Bytes, ProcessId, StartTime, FileName.</summary>
    [GeneratedRegex("Rss|Size$|Pid|^Pod$|^Node$|^MemoryLimit|^MemoryUsed|ProcessStarted|^File$")]
    private static partial Regex Synonym();

    [GeneratedRegex("Duration|Elapsed|Interval|Pause|Age$|Longest|^Held")]
    private static partial Regex OfTime();
}
