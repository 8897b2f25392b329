using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Reflection;
using System.Text.Json;
using PyDebug.Commands;
using PyDebug.Internal;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class SerializationTests
{
    private static readonly DateTime s_time = new(2026, 11, 25, 1, 2, 3, 456, DateTimeKind.Utc);

    public static TheoryData<Type> Records => new([
        typeof(PodDebugSession), typeof(PyProcess), typeof(PyThreadStack), typeof(StackFrame), typeof(PyTask),
        typeof(PyThreadGroup), typeof(PyTaskGroup), typeof(PodDebugCheck),
        typeof(BpftraceEvent), typeof(BpftraceMap), typeof(BpftraceBucket), typeof(BpftracePoint),
        typeof(BpftraceCost), typeof(BpftraceScript),
        typeof(PyProcessSample), typeof(PyHeapReport), typeof(PyHeapPart), typeof(PyHeapType), typeof(PyHeapHolder),
        typeof(PyHeapDifference)]);

    [Theory]
    [MemberData(nameof(Records))]
    public void Clixml_loses_nothing(Type type)
    {
        object record = Filled(type);
        PSObject back = (PSObject)PSSerializer.Deserialize(PSSerializer.Serialize(record, 8));
        Assert.Equal(Text(record), Text(RecordReader.Read(back, type)));
    }

    [Theory]
    [MemberData(nameof(Records))]
    public void Every_public_property_has_a_value_to_lose(Type type)
    {
        object record = Filled(type);
        foreach (PropertyInfo property in type.GetProperties())
        {
            Assert.NotNull(property.GetValue(record));
        }
    }

    [Fact]
    public void A_session_binds_again_after_clixml()
    {
        object session = Filled(typeof(PodDebugSession));
        PSObject back = (PSObject)PSSerializer.Deserialize(PSSerializer.Serialize(session));
        PodDebugSession again = LanguagePrimitives.ConvertTo<PodDebugSession>(back);
        Assert.Equal(session, again);
    }

    [Fact]
    public void A_process_is_not_taken_for_a_session_nor_the_other_way_round()
    {
        RecordConverter converter = new();
        object process = PSSerializer.Deserialize(PSSerializer.Serialize(Filled(typeof(PyProcess))));
        object session = PSSerializer.Deserialize(PSSerializer.Serialize(Filled(typeof(PodDebugSession))));
        Assert.True(converter.CanConvertFrom(process, typeof(PyProcess)));
        Assert.False(converter.CanConvertFrom(process, typeof(PodDebugSession)));
        Assert.True(converter.CanConvertFrom(session, typeof(PodDebugSession)));
        Assert.False(converter.CanConvertFrom(session, typeof(PyProcess)));
        Assert.False(converter.CanConvertFrom(new PSObject(), typeof(PodDebugSession)));
    }

    [Fact]
    public void The_way_to_the_server_is_never_serialised()
    {
        PodDebugSession session = new() { Connection = new ConnectionSettings { Server = "https://secret.test" } };
        Assert.DoesNotContain("secret", PSSerializer.Serialize(session, 8), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", JsonSerializer.Serialize(session), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", session.ToString(), StringComparison.Ordinal);
    }

    private static string Text(object record) => JsonSerializer.Serialize(record, record.GetType());

    private static object Filled(Type type)
    {
        object record = Activator.CreateInstance(type, nonPublic: true)!;
        foreach (PropertyInfo property in type.GetProperties())
        {
            property.GetSetMethod(nonPublic: true)!.Invoke(record, [Value(property.PropertyType, property.Name)]);
        }

        return record;
    }

    private static object Value(Type type, string name)
    {
        Type plain = Nullable.GetUnderlyingType(type) ?? type;
        return plain switch
        {
            _ when plain == typeof(string) => $"{name} ;\u202e \"x\"",
            _ when plain == typeof(int) => 12345,
            _ when plain == typeof(long) => 1L << 40,
            _ when plain == typeof(double) => 0.1 + 0.2,
            _ when plain == typeof(bool) => true,
            _ when plain == typeof(DateTime) => s_time,
            _ when plain == typeof(IReadOnlyList<string>) => new List<string> { "one", "two" },
            _ when plain == typeof(IReadOnlyList<long>) => new List<long> { 1, 1L << 40 },
            _ when plain == typeof(IReadOnlyList<StackFrame>) =>
                new List<StackFrame> { (StackFrame)Filled(typeof(StackFrame)), new() { Name = "bare" } },
            _ when plain == typeof(IReadOnlyList<StackLocal>) =>
                new List<StackLocal> { (StackLocal)Filled(typeof(StackLocal)) },
            _ when plain == typeof(object) => 1L << 40,
            _ when plain == typeof(IReadOnlyList<object>) => new List<object> { "part", 7L },
            _ when plain == typeof(IReadOnlyList<BpftraceBucket>) =>
                new List<BpftraceBucket> { (BpftraceBucket)Filled(typeof(BpftraceBucket)), new() },
            _ when plain == typeof(IReadOnlyList<BpftracePoint>) =>
                new List<BpftracePoint> { (BpftracePoint)Filled(typeof(BpftracePoint)), new() },
            _ when plain == typeof(IReadOnlyList<BpftraceCost>) =>
                new List<BpftraceCost> { (BpftraceCost)Filled(typeof(BpftraceCost)), new() },
            _ when plain == typeof(IReadOnlyList<PyHeapPart>) =>
                new List<PyHeapPart> { (PyHeapPart)Filled(typeof(PyHeapPart)), new() },
            _ when plain == typeof(IReadOnlyList<PyHeapType>) =>
                new List<PyHeapType> { (PyHeapType)Filled(typeof(PyHeapType)), new() },
            _ when plain == typeof(IReadOnlyList<PyHeapHolder>) =>
                new List<PyHeapHolder> { (PyHeapHolder)Filled(typeof(PyHeapHolder)), new() },
            _ => throw new NotSupportedException(type.Name),
        };
    }
}
